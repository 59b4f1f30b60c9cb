import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '@fanfare/protocol';
import { eventually } from '@fanfare/testing';
import { describe, expect, it } from 'vitest';
import { watchKeyFile } from './key-file.ts';
import { digestOf, readKeys } from './key-list.ts';
import { createKeyRing } from './key-ring.ts';
import { newKey } from './new-key.ts';

const BILLING = 'k3y-of-billing-0001';
const WEBSHOP = 'k3y-of-webshop-0002';

const ringOf = (list: string, options: { perSecond?: number; now?: () => number } = {}) => {
  const { keys, problems } = readKeys(list);
  expect(problems).toEqual([]);
  return createKeyRing({ keys, perSecond: undefined, ...options });
};
const codeOf = (act: () => unknown): string => {
  try {
    act();
    return 'allowed';
  } catch (error) {
    return AppError.from(error).code;
  }
};

describe('a key', () => {
  const ring = ringOf(`billing:${BILLING},webshop[read]:sha256:${digestOf(WEBSHOP)}`);

  it.each([
    [`Bearer ${BILLING}`, 'billing'],
    [`Bearer ${WEBSHOP}`, 'webshop'],
    [`bearer  ${WEBSHOP} `, 'webshop'],
  ])('is known, whether it stands there as it is or as its digest: %j', (header, name) => {
    expect(ring.identify(header).name).toBe(name);
  });

  it.each([
    [undefined],
    [''],
    ['Bearer'],
    ['Bearer '],
    ['Bearer k3y-of-billing-000'],
    ['Bearer k3y-of-billing-00011'],
    ['Bearer K3Y-OF-BILLING-0001'],
    [`Bearer ${BILLING} ${WEBSHOP}`],
    [`Basic ${BILLING}`],
    [BILLING],
    [`Bearer billing:${BILLING}`],
    [`Bearer sha256:${digestOf(WEBSHOP)}`],
    [`Bearer ${digestOf(WEBSHOP)}`],
  ])('is refused as %j', (header) => {
    expect(codeOf(() => ring.identify(header))).toBe('api_key_invalid');
  });

  it('of one name may stand there twice, so that the old one is valid until nobody has it any more', () => {
    const both = ringOf(`billing:${BILLING},billing:${WEBSHOP}`);
    expect([BILLING, WEBSHOP].map((key) => both.identify(`Bearer ${key}`).name)).toEqual([
      'billing',
      'billing',
    ]);
  });

  it('is made with 256 random bits and the entry that opens the door for it', () => {
    const made = newKey('billing', ['publish:project:*', 'read']);
    expect(made.key).toMatch(/^fanfare_[A-Za-z0-9_-]{43}$/);
    expect(made.entry).not.toContain(made.key);
    expect(ringOf(made.entry).identify(`Bearer ${made.key}`).name).toBe('billing');
    expect(() => newKey('billing', ['admin'])).toThrow('"admin" is no scope of "billing"');
    expect(() => newKey('bill:ing', [])).toThrow('"bill:ing" is no name of a key');
  });
});

describe('the scopes of a key', () => {
  const permit = (scopes: string, ...asked: ['publish' | 'read' | 'control', string?]) =>
    codeOf(() =>
      ringOf(`billing${scopes}:${BILLING}`)
        .identify(`Bearer ${BILLING}`)
        .permit(...asked),
    );

  it.each<[scopes: string, action: 'publish' | 'read' | 'control', room: string | undefined, code: string]>([
    ['', 'control', undefined, 'allowed'],
    ['', 'publish', 'project:42', 'allowed'],
    ['[publish]', 'publish', 'project:42', 'allowed'],
    ['[publish]', 'publish', undefined, 'allowed'],
    ['[publish]', 'read', 'project:42', 'forbidden'],
    ['[publish]', 'control', undefined, 'forbidden'],
    ['[publish:project:*]', 'publish', 'project:42', 'allowed'],
    ['[publish:project:*]', 'publish', 'project:42:tasks', 'forbidden'],
    ['[publish:project:**]', 'publish', 'project:42:tasks', 'allowed'],
    ['[publish:project:*]', 'publish', 'team:42', 'forbidden'],
    ['[publish:project:*]', 'publish', undefined, 'forbidden'],
    ['[publish:project:*+read]', 'read', undefined, 'allowed'],
    ['[read:project:*]', 'read', undefined, 'forbidden'],
  ])('%s for %s in %s: %s', (scopes, action, room, code) => {
    expect(permit(scopes, action, room)).toBe(code);
  });

  it('are named where one is missing', () => {
    const caller = ringOf(`billing[read]:${BILLING}`).identify(`Bearer ${BILLING}`);
    expect(() => caller.permit('publish', 'project:42')).toThrow(
      'The API key "billing" lacks the scope "publish:project:42", or one that covers it',
    );
  });

  it.each(['', 'admin', 'read:', 'read:lobby*', 'publish:project:**:x', 'read+'])(
    'cannot be "%s"',
    (scope) => {
      const { problems } = readKeys(`billing[${scope}]:${BILLING}`);
      expect(problems).toEqual([expect.stringContaining('is no scope of "billing"')]);
    },
  );

  it('never come with a digest that is none', () => {
    expect(readKeys('billing:sha256:0000').problems).toEqual([
      'the digest of "billing" is not 64 hexadecimal digits',
    ]);
  });
});

describe('the rate of a key', () => {
  it('is shared by the keys of a name, told with the time to wait, and comes back with time', () => {
    let now = 0;
    const ring = ringOf(`billing:${BILLING},billing:${WEBSHOP},other:k3y-of-another-one`, {
      perSecond: 10,
      now: () => now,
    });
    const spend = (key: string, units: number) => {
      try {
        ring.identify(`Bearer ${key}`).spend(units);
        return 0;
      } catch (error) {
        return AppError.from(error).retryAfterMs;
      }
    };
    expect(spend(BILLING, 15)).toBe(0);
    expect(spend(WEBSHOP, 6)).toBe(100);
    expect(spend('k3y-of-another-one', 6)).toBe(0);
    now = 100;
    expect(spend(WEBSHOP, 6)).toBe(0);
    expect(spend(BILLING, 1)).toBe(100);
    // What is larger than the bucket goes through, and is paid for afterwards.
    now = 10_000;
    expect(spend(BILLING, 50)).toBe(0);
    expect(spend(BILLING, 1)).toBe(3100);
    // Other keys change nothing of that.
    ring.replace(readKeys(`billing:${BILLING}`).keys);
    expect(spend(BILLING, 1)).toBe(3100);
  });
});

describe('the wait that a key is told', () => {
  it.each([1, 12, 80, 150])('of %i a second is enough, for whatever is asked', (perSecond) => {
    let now = 987_654.321;
    const ring = ringOf(`billing:${BILLING}`, { perSecond, now: () => now });
    const { spend } = ring.identify(`Bearer ${BILLING}`);
    for (const units of [1, 2, perSecond - 1, perSecond, perSecond * 2, perSecond * 5, 1000, 1]) {
      try {
        spend(units);
      } catch (error) {
        now += AppError.from(error).retryAfterMs ?? 0;
        spend(units);
      }
      now += 7;
    }
  });
});

describe('the file of keys', () => {
  it('is read anew when it changes, and a broken one changes nothing and is told of once', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'fanfare-keys-'));
    await using _ = { [Symbol.asyncDispose]: () => rm(dir, { recursive: true }) };
    const path = join(dir, 'keys');
    const put = async (text: string) => {
      await writeFile(`${path}.new`, text);
      await rename(`${path}.new`, path);
    };
    await put(`billing:${BILLING}\n`);
    const heard: unknown[] = [];
    using _file = watchKeyFile(path, {
      changed: (keys) => heard.push(keys.map(({ name }) => name)),
      broken: (problems) => heard.push(problems),
    });
    await put(`billing:${BILLING}\nbroken`);
    const broken = [expect.stringContaining('entry 2 does not look like name:key')];
    await eventually(() => expect(heard).toEqual([broken]));
    await put(`billing:${BILLING}\nwebshop:${WEBSHOP}\n`);
    await eventually(() => expect(heard).toEqual([broken, ['billing', 'webshop']]));
    await rm(path);
    await eventually(() => expect(heard).toEqual([broken, ['billing', 'webshop'], ['it cannot be read']]));
  });
});
