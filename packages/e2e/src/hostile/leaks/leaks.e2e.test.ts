import { expect, test } from 'vitest';
import { findLeaks } from './run.ts';

const SEED = 1;
const OPERATIONS = 1500;

test('sockets hear exactly what tokens, rules and orders allow, and no old token is a way back in (A5) (G6)', async () => {
  const { operations, wrong } = await findLeaks({ seed: SEED, operations: OPERATIONS });
  expect({ seed: SEED, operations, wrong }).toEqual({ seed: SEED, operations: OPERATIONS, wrong: [] });
});
