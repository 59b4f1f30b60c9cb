import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { findLeaks } from './run.ts';

const SEED = 1;
const OPERATIONS = 1500;
const LEAKING = fileURLToPath(new URL('leaking-handlers.js', import.meta.url));

test('sockets hear exactly what tokens, rules and orders allow, and no old token is a way back in (A5) (G6)', async () => {
  const { operations, wrong, kinds } = await findLeaks({ seed: SEED, operations: OPERATIONS });
  expect({ seed: SEED, operations, wrong }).toEqual({ seed: SEED, operations: OPERATIONS, wrong: [] });
  for (const kind of ['expire', 'revoke', 'remove']) expect(kinds[kind], kind).toBeGreaterThan(0);
});

test('a leak that is planted in the gateways is found', async () => {
  const { operations, wrong } = await findLeaks({
    seed: SEED,
    operations: OPERATIONS,
    env: { FANFARE_HANDLERS: LEAKING },
  });
  expect(wrong).toContainEqual(expect.stringContaining('a leak'));
  expect(operations).toBeLessThan(OPERATIONS);
});
