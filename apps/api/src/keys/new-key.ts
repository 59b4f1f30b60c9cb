import { randomBytes } from 'node:crypto';
import { digestOf, readKeys } from './key-list.ts';

/** A key of 256 random bits, and the entry that makes it valid. Throws a sentence for a name or scope that is none. */
export function newKey(name: string, scopes: readonly string[]): { key: string; entry: string } {
  // The prefix is for people, and for tools that look for keys where none should be.
  const key = `fanfare_${randomBytes(32).toString('base64url')}`;
  const entry = `${name}${scopes.length === 0 ? '' : `[${scopes.join('+')}]`}:sha256:${digestOf(key)}`;
  const { keys, problems } = readKeys(entry);
  if (problems[0] !== undefined) throw new Error(problems[0]);
  if (keys[0]?.name !== name) throw new Error(`"${name}" is no name of a key: it is made of A-Z a-z 0-9 _ -`);
  return { key, entry };
}
