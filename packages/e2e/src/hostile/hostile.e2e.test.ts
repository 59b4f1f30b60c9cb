import { expect, test } from 'vitest';
import type { Scale } from './attack.ts';
import { runHostile } from './run.ts';

const SEED = 1;
const SHORT: Scale = { frames: 20_000, busMessages: 2000, nestings: 1, attackers: 8 };

test('nothing that clients or Redis send ends a process or stays in memory, and attackers are cut within 2 s (G5)', async () => {
  const { rows, seed } = await runHostile({ seed: SEED, scale: SHORT, calmMs: 1000, judgesLatency: false });
  const wrong = rows.map(({ attack, checks }) => ({ attack, checks: checks.filter(({ ok }) => !ok) }));
  expect({ seed, wrong: wrong.filter(({ checks }) => checks.length > 0) }).toEqual({ seed, wrong: [] });
  expect(rows).toHaveLength(17);
});
