import { hash } from 'node:crypto';
import { Secret } from '@fanfare/runtime';
import { z } from 'zod';
import { parseScope, type Scope } from './scopes.ts';

/** A key as it is kept: the name stands in logs and metrics, and of the key there is only its digest. */
export interface ApiKey {
  name: string;
  /** SHA-256 in hex. */
  digest: Secret;
  /** Empty: everything. */
  scopes: readonly Scope[];
}

const KEY_LENGTH = 16;
const ENTRY = /^(?<name>[A-Za-z0-9_-]{1,64})(?:\[(?<scopes>[^\]]*)\])?:(?<key>.+)$/s;
/** What fits into a header as it is. */
const KEY_TEXT = /^[\x21-\x7e]+$/;
const DIGEST = /^sha256:(?<digest>[0-9a-f]{64})$/;

/** A key is random and long, so nobody can try all that could be behind its digest: a slow hash would only cost time. */
export const digestOf = (key: string): string => hash('sha256', key);

const FORM = 'does not look like name:key or name[scope+scope]:key, the name of A-Z a-z 0-9 _ -';

/** Reads one entry; what is wrong with it never repeats the key, nor what may be one. */
const readEntry = (entry: string, number: number): ApiKey | { problem: string } => {
  const { name, scopes: list, key } = ENTRY.exec(entry)?.groups ?? {};
  if (name === undefined || key === undefined) return { problem: `entry ${number} ${FORM}` };
  const scopes: Scope[] = [];
  for (const text of list?.split('+') ?? []) {
    const scope = parseScope(text);
    if (scope === undefined)
      return {
        problem: `"${text}" is no scope of "${name}": a scope is publish, read or control, or one of them for rooms like publish:project:*`,
      };
    scopes.push(scope);
  }
  const digest = DIGEST.exec(key)?.groups?.digest;
  if (digest !== undefined) return { name, digest: new Secret(digest), scopes };
  if (key.startsWith('sha256:')) return { problem: `the digest of "${name}" is not 64 hexadecimal digits` };
  if (key.length < KEY_LENGTH)
    return { problem: `the key of "${name}" has less than ${KEY_LENGTH} characters` };
  if (!KEY_TEXT.test(key)) return { problem: `the key of "${name}" has characters that no header may have` };
  return { name, digest: new Secret(digestOf(key)), scopes };
};

/** The keys of a list, and everything that is wrong with it. */
export const readKeys = (text: string): { keys: ApiKey[]; problems: string[] } => {
  const entries = text.split(/[\s,]+/).filter((entry) => entry !== '');
  const keys: ApiKey[] = [];
  const problems: string[] = entries.length === 0 ? ['expected at least one name:key'] : [];
  const owners = new Map<string, string>();
  for (const [i, entry] of entries.entries()) {
    const read = readEntry(entry, i + 1);
    if ('problem' in read) {
      problems.push(read.problem);
      continue;
    }
    const digest = read.digest.reveal();
    const owner = owners.get(digest);
    if (owner !== undefined) problems.push(`"${owner}" and "${read.name}" have the same key`);
    owners.set(digest, read.name);
    keys.push(read);
  }
  return { keys, problems };
};

/** The setting that holds the keys. */
export const apiKeys = z
  .string()
  .transform((text, context): ApiKey[] => {
    const { keys, problems } = readKeys(text);
    for (const message of problems) context.addIssue({ code: 'custom', message });
    return keys;
  })
  .meta({ secret: true });
