// The one way to what engine.io, ws and Node keep to themselves: what is not there in another version is left alone.
// Whoever uses it names the version, and has a test that fails when it moves.

/** A property that may be missing, of something that may be missing. */
export const propertyOf = (target: unknown, name: string): unknown =>
  typeof target === 'object' && target !== null ? Reflect.get(target, name) : undefined;

/** Calls a method that may be missing. */
export const callOf = (target: unknown, name: string, ...args: unknown[]): void => {
  const method = propertyOf(target, name);
  if (typeof method === 'function') method.apply(target, args);
};
