import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  ConfigError,
  commaList,
  type Env,
  flag,
  parseEnv,
  secret,
  settingRows,
  wholeNumber,
} from './config.ts';
import { Secret } from './secret.ts';

const schema = z.object({
  FANFARE_PORT: wholeNumber(0, 65_535).default(3000).describe('The port'),
  FANFARE_ORIGINS: commaList
    .pipe(z.array(z.url('expected a URL')))
    .default([])
    .describe('The origins'),
  FANFARE_CONSOLE: flag.default(false).describe('The console'),
  FANFARE_KEY: secret(8).describe('The key'),
  FANFARE_SPARE_KEY: secret(8).optional().describe('The spare key'),
  REDIS_URL: z.url({ protocol: /^redis$/, error: 'expected redis://host:6379' }).optional(),
});

const KEY = { FANFARE_KEY: 'long enough' };

const messageOf = (env: Env, conflicts?: Parameters<typeof parseEnv>[2]): string => {
  try {
    parseEnv(schema, env, conflicts);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return '';
};

/** A folder with one file in it. */
const fileWith = async (text: string) => {
  const folder = await mkdtemp(join(tmpdir(), 'fanfare-config-'));
  const path = join(folder, 'secret');
  await writeFile(path, text);
  return { path, folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
};

describe('settings from the environment', () => {
  it('are typed values, with defaults for what is not set', () => {
    const { settings, warnings } = parseEnv(schema, {
      ...KEY,
      FANFARE_PORT: '8080',
      FANFARE_ORIGINS: ' https://a.example ,, https://b.example,',
      FANFARE_CONSOLE: 'on',
      PATH: '/usr/bin',
    });
    expect(settings).toEqual({
      FANFARE_PORT: 8080,
      FANFARE_ORIGINS: ['https://a.example', 'https://b.example'],
      FANFARE_CONSOLE: true,
      FANFARE_KEY: expect.any(Secret),
    });
    expect(warnings).toEqual([]);
    expect(parseEnv(schema, KEY).settings).toMatchObject({ FANFARE_PORT: 3000, FANFARE_CONSOLE: false });
  });

  it('that are empty count as not set', () => {
    const empty = Object.fromEntries(Object.keys(schema.shape).map((name) => [name, '']));
    expect(parseEnv(schema, { ...empty, ...KEY, FANFARE_NO_SUCH: '' })).toEqual({
      settings: parseEnv(schema, KEY).settings,
      warnings: [],
    });
    expect(messageOf(empty)).toContain('FANFARE_KEY is not set');
  });

  it.each(['0x10', '1e3', '-1', '3.5', ' 1', '65536', '1'.repeat(30), 'NaN'])(
    'refuse %j as a whole number',
    (text) => {
      expect(messageOf({ ...KEY, FANFARE_PORT: text })).toContain(
        `FANFARE_PORT: expected a whole number from 0 to 65535, got "${text}"`,
      );
    },
  );

  it.each([
    ['true', true],
    ['1', true],
    ['yes', true],
    ['TRUE', true],
    ['false', false],
    ['0', false],
    ['no', false],
    ['off', false],
  ])('read the flag %j as %s', (text, value) => {
    expect(parseEnv(schema, { ...KEY, FANFARE_CONSOLE: text }).settings.FANFARE_CONSOLE).toBe(value);
  });

  it.each([',', ' ', ' , ,'])('refuse %j as a list', (text) => {
    expect(messageOf({ ...KEY, FANFARE_ORIGINS: text })).toContain(
      `FANFARE_ORIGINS: expected at least one item, got "${text}"`,
    );
  });

  it('refuse a flag that is neither', () => {
    expect(messageOf({ ...KEY, FANFARE_CONSOLE: 'maybe' })).toContain(
      'FANFARE_CONSOLE: expected true or false, got "maybe"',
    );
  });
});

describe('problems', () => {
  it('come in one message, those between settings too', () => {
    const env = {
      FANFARE_PORT: 'x',
      FANFARE_ORIGINS: 'a,b',
      FANFARE_CONSOLE: 'maybe',
      REDIS_URL: 'localhost',
    };
    expect(messageOf(env, ({ FANFARE_PORT }) => [`the port ${FANFARE_PORT} is no good either`])).toBe(
      [
        'The configuration has 6 problems:',
        '  - FANFARE_PORT: expected a whole number from 0 to 65535, got "x"',
        '  - FANFARE_ORIGINS: expected a URL, got "a,b"',
        '  - FANFARE_CONSOLE: expected true or false, got "maybe"',
        '  - FANFARE_KEY is not set',
        '  - REDIS_URL: expected redis://host:6379, got "localhost"',
        '  - the port x is no good either',
      ].join('\n'),
    );
  });

  it('name a mistyped setting, which may be why another one is not set', () => {
    expect(messageOf({ FANFARE_KYE: 'long enough', FANFARE_OTHER_THING: '1' })).toBe(
      [
        'The configuration has 2 problems:',
        '  - FANFARE_KEY is not set',
        '  - FANFARE_KYE is not a setting of this process: did you mean FANFARE_KEY?',
      ].join('\n'),
    );
  });

  it('never repeat a secret, nor the password of a URL', () => {
    const message = messageOf({ FANFARE_KEY: 'hunter2', REDIS_URL: 'rediss://user:hunter@2@redis:6379' });
    expect(message).toContain('FANFARE_KEY: expected at least 8 characters');
    expect(message).toContain('REDIS_URL: expected redis://host:6379, got "rediss://[redacted]@redis:6379"');
    expect(message).not.toContain('hunter');
  });
});

describe('names that are no settings', () => {
  it.each([
    ['FANFARE_PROT', ': did you mean FANFARE_PORT?'],
    ['FANFARE_KYE_FILE', ': did you mean FANFARE_KEY_FILE?'],
    ['FANFARE_SOMETHING_ELSE', ''],
  ])('%s is a warning', (name, question) => {
    expect(parseEnv(schema, { ...KEY, [name]: '1' }).warnings).toEqual([
      `${name} is not a setting of this process${question}`,
    ]);
  });

  it('are not looked at without our prefix', () => {
    expect(parseEnv(schema, { ...KEY, REDIS_URI: 'x', PORT: '1' }).warnings).toEqual([]);
  });

  it('are those of files for what is no secret', () => {
    expect(parseEnv(schema, { ...KEY, FANFARE_PORT_FILE: '/x' }).warnings).toHaveLength(1);
  });
});

describe('a secret', () => {
  it('prints as [redacted] and is told by reveal() only', () => {
    const { FANFARE_KEY: key } = parseEnv(schema, KEY).settings;
    expect(key.reveal()).toBe('long enough');
    for (const text of [String(key), `${key}`, JSON.stringify({ key }), inspect({ key }, { depth: 9 })]) {
      expect(text).toContain('[redacted]');
      expect(text).not.toContain('long enough');
    }
  });

  it('may come from a file, without the white space around it', async () => {
    await using file = await fileWith('from a file\n');
    const { settings, warnings } = parseEnv(schema, {
      FANFARE_KEY_FILE: file.path,
      FANFARE_SPARE_KEY_FILE: '',
    });
    expect(settings.FANFARE_KEY.reveal()).toBe('from a file');
    expect(settings.FANFARE_SPARE_KEY).toBeUndefined();
    expect(warnings).toEqual([]);
  });

  it('may not come from both', async () => {
    await using file = await fileWith('from a file');
    expect(messageOf({ ...KEY, FANFARE_KEY_FILE: file.path })).toContain(
      'FANFARE_KEY and FANFARE_KEY_FILE are both set: keep one',
    );
  });

  it('says when its file cannot be read, and nothing else about it', async () => {
    await using file = await fileWith('');
    expect(messageOf({ FANFARE_KEY_FILE: join(file.folder, 'none') })).toBe(
      `The configuration has a problem:\n  - FANFARE_KEY_FILE: cannot read ${file.folder}/none (ENOENT)`,
    );
    expect(messageOf({ FANFARE_KEY_FILE: file.folder })).toContain('(EISDIR)');
    expect(messageOf({ FANFARE_KEY_FILE: file.path })).toContain(
      'FANFARE_KEY: expected at least 8 characters',
    );
  });
});

describe('the rows for documents', () => {
  it('have the defaults as they are written in the environment, in the order of the schema', () => {
    const row = (
      name: string,
      description: string,
      fallback: string,
      is: ('required' | 'secret')[] = [],
    ) => ({
      name,
      description,
      default: fallback,
      required: is.includes('required'),
      secret: is.includes('secret'),
    });
    const limited = schema.extend({ FANFARE_LIMIT: wholeNumber(0, 9).prefault('5').describe('The limit') });
    expect(settingRows(limited)).toEqual([
      row('FANFARE_PORT', 'The port', '3000'),
      row('FANFARE_ORIGINS', 'The origins', ''),
      row('FANFARE_CONSOLE', 'The console', 'false'),
      row('FANFARE_KEY', 'The key', '', ['required', 'secret']),
      row('FANFARE_SPARE_KEY', 'The spare key', '', ['secret']),
      row('REDIS_URL', '', ''),
      row('FANFARE_LIMIT', 'The limit', '5'),
    ]);
  });
});
