import { createHash } from 'node:crypto';

/** A ConfigMap of a generator; its name gets a hash of its content, so that a change rolls the pods. */
export interface GeneratedConfigMap {
  name: string;
  namespace?: string;
  data: Record<string, string>;
}

/** `KEY=value` of a generator's literals; one pair of quotes around the value is dropped, as kustomize does. */
export function parseLiteral(literal: string): [string, string] {
  const at = literal.indexOf('=');
  if (at < 1) throw new Error(`the literal "${literal}" is not KEY=value`);
  const value = literal.slice(at + 1);
  return [literal.slice(0, at), /^(["'])(.*)\1$/s.exec(value)?.[2] ?? value];
}

const LETTERS: Readonly<Record<string, string>> = { 0: 'g', 1: 'h', 3: 'k', a: 'm', e: 't' };

/** The name with the suffix that kustomize gives: ten letters of a SHA-256 that spell no word. */
export function hashedName({ name, data }: GeneratedConfigMap): string {
  const sorted = Object.fromEntries(Object.entries(data).sort(([a], [b]) => (a < b ? -1 : 1)));
  // kustomize hashes the content alone: the name in what it hashes is always empty.
  const hashed = goJson({ data: sorted, kind: 'ConfigMap', name: '' });
  const digest = createHash('sha256').update(hashed).digest('hex');
  const suffix = [...digest.slice(0, 10)].map((letter) => LETTERS[letter] ?? letter).join('');
  return `${name}-${suffix}`;
}

/** As Go's encoding/json writes it: with these five characters escaped. */
const goJson = (value: unknown): string =>
  JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
