/** notepack.io 3.0.1 ships no types; it is the parser of `@socket.io/redis-adapter` 8.3.0. */
declare module 'notepack.io' {
  export function encode(value: unknown): Buffer;
  export function decode(message: Buffer): unknown;
}
