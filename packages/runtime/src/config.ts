import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { nearestName } from './nearest-name.ts';
import { hideCredentials, Secret } from './secret.ts';

/** Bad configuration: every problem in one message. A process that meets it exits with 78 (EX_CONFIG). */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(
      `The configuration has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:\n${problems.map((p) => `  - ${p}`).join('\n')}`,
    );
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

export type Env = Readonly<Record<string, string | undefined>>;

/** What a process needs to know of one setting to document it. */
export interface SettingRow {
  name: string;
  description: string;
  /** As it is written in the environment; empty where it is not written as it is kept, which the description tells. */
  default: string;
  required: boolean;
  secret: boolean;
}

/** A comma-separated list; white space around the items is ignored. One without items is no list. */
export const commaList = z
  .string()
  .transform((text) =>
    text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== ''),
  )
  // What restricts something only when it is given must not be lifted by a comma.
  .refine((items) => items.length > 0, 'expected at least one item');

/** A number in decimal digits with an inclusive range. */
export const wholeNumber = (min: number, max: number) => {
  const error = `expected a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,15}$/, error)
    .transform(Number)
    .pipe(z.number().min(min, error).max(max, error));
};

/** What is wrong between the public port and the ops port; `presets` are those of a process that is given none. */
export const portConflicts = (
  given: Readonly<Record<string, string>>,
  presets: { public: string; ops: string },
): string[] => {
  const port = Number(given.FANFARE_PORT ?? presets.public);
  const hosts = [given.FANFARE_HOST ?? ANY_HOST, given.FANFARE_OPS_HOST ?? ANY_HOST];
  const canMeet = hosts[0] === hosts[1] || hosts.includes(ANY_HOST) || hosts.includes('::');
  if (port === 0 || port !== Number(given.FANFARE_OPS_PORT ?? presets.ops) || !canMeet) return [];
  return [`FANFARE_PORT and FANFARE_OPS_PORT are both ${port}: set one of them to another port`];
};

const ANY_HOST = '0.0.0.0';

/** `true` or `false` (also `on`/`off`, `1`/`0`, `yes`/`no`). */
export const flag = z.stringbool({ error: 'expected true or false' });

/** A secret of at least `minLength` characters. `NAME_FILE` gives the path of a file that holds it. */
export const secret = (minLength: number) =>
  z
    .string()
    .min(minLength, `expected at least ${minLength} characters`)
    .transform((text) => new Secret(text))
    .meta({ secret: true });

const isSecret = (field: z.ZodType): boolean => {
  if (field.meta()?.secret === true) return true;
  const inner = field instanceof z.ZodOptional || field instanceof z.ZodDefault ? field.unwrap() : undefined;
  return inner instanceof z.ZodType && isSecret(inner);
};

const readSecretFile = (path: string): { text: string } | { problem: string } => {
  try {
    return { text: readFileSync(path, 'utf8').trim() };
  } catch (cause) {
    return {
      problem: `cannot read ${path} (${cause instanceof Error && 'code' in cause ? cause.code : 'unknown'})`,
    };
  }
};

/** Names with our prefix that are no settings: typing mistakes, or settings of another process. */
const unknownNames = (env: Env, known: readonly string[]): { warning: string; meant: string | undefined }[] =>
  Object.keys(env)
    .filter((name) => name.startsWith('FANFARE_') && env[name] !== '' && !known.includes(name))
    .map((name) => {
      const meant = nearestName(name, known);
      const question = meant === undefined ? '' : `: did you mean ${meant}?`;
      return { warning: `${name} is not a setting of this process${question}`, meant };
    });

/**
 * Reads flat settings from the environment. An empty variable counts as unset, secrets may come from `NAME_FILE`,
 * unknown names with the prefix `FANFARE_` become warnings. `conflicts` finds what is wrong between settings.
 * Throws a `ConfigError` that lists every problem.
 */
export function parseEnv<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
  env: Env,
  conflicts: (given: Readonly<Record<string, string>>) => string[] = () => [],
): { settings: z.output<z.ZodObject<Shape>>; warnings: string[] } {
  const problems: string[] = [];
  const given: Record<string, string> = {};
  const fileNames = new Set<string>();

  for (const [name, field] of Object.entries(schema.shape)) {
    const value = env[name];
    if (value !== undefined && value !== '') given[name] = value;
    if (!(field instanceof z.ZodType) || !isSecret(field)) continue;
    fileNames.add(`${name}_FILE`);
    const path = env[`${name}_FILE`];
    if (path === undefined || path === '') continue;
    const file = readSecretFile(path);
    if (name in given) problems.push(`${name} and ${name}_FILE are both set: keep one`);
    else if ('text' in file) given[name] = file.text;
    else problems.push(`${name}_FILE: ${file.problem}`);
  }

  const result = schema.safeParse(given);
  for (const issue of result.error?.issues ?? []) {
    const name = String(issue.path[0] ?? '');
    const field = schema.shape[name];
    if (problems.some((text) => text.startsWith(`${name}_FILE`))) continue;
    if (!(name in given)) problems.push(`${name} is not set`);
    else if (field instanceof z.ZodType && isSecret(field)) problems.push(`${name}: ${issue.message}`);
    else problems.push(`${name}: ${issue.message}, got "${hideCredentials(given[name] ?? '')}"`);
  }
  problems.push(...conflicts(given));

  const unknown = unknownNames(env, [...Object.keys(schema.shape), ...fileNames]);
  if (problems.length === 0 && result.success) {
    return { settings: result.data, warnings: unknown.map(({ warning }) => warning) };
  }
  // A mistyped name is often why another one is not set.
  const mistyped = unknown.filter(({ meant }) => meant !== undefined).map(({ warning }) => warning);
  // Two bad items of one list read the same.
  throw new ConfigError([...new Set([...problems, ...mistyped])]);
}

const written = (value: unknown): string => {
  const parts: unknown[] = Array.isArray(value) ? value : [value];
  return parts.some((part) => typeof part === 'object') ? '' : parts.join(',');
};

/** The settings of a schema as rows of a table, in the order of the schema. */
export function settingRows(schema: z.ZodObject): SettingRow[] {
  return Object.entries(schema.shape).map(([name, field]) => {
    if (!(field instanceof z.ZodType)) throw new TypeError(`${name} is not a zod schema`);
    const hasDefault = field instanceof z.ZodDefault || field instanceof z.ZodPrefault;
    return {
      name,
      description: field.description ?? '',
      default: hasDefault ? written(field.def.defaultValue) : '',
      required: !field.safeParse(undefined).success,
      secret: isSecret(field),
    };
  });
}
