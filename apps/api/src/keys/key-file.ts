import { readFileSync } from 'node:fs';
import { type ApiKey, readKeys } from './key-list.ts';

/** Time between two looks at the file, in ms. Events of the file system tell nothing of what a mount or a link changes. */
const LOOK_MS = 1000;

/**
 * Reads a file of keys anew whenever it changes. What cannot be read, or has anything wrong with it, is told once and
 * changes nothing.
 */
export function watchKeyFile(
  path: string,
  hear: { changed: (keys: ApiKey[]) => void; broken: (problems: readonly string[]) => void },
): Disposable {
  const read = (): string | undefined => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return undefined;
    }
  };
  let last = read();
  const look = (): void => {
    const text = read();
    if (text === last) return;
    last = text;
    const { keys, problems } =
      text === undefined ? { keys: [], problems: ['it cannot be read'] } : readKeys(text);
    if (problems.length > 0) hear.broken(problems);
    else hear.changed(keys);
  };
  const timer = setInterval(look, LOOK_MS).unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
