import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { SCENARIOS } from '../chaos/scenarios/index.ts';
import { ROOT } from './documents.ts';
import { type Guarantee, hasTest, readGuarantees } from './guarantees.ts';

const CHAOS = 'npm run test:chaos';

let guarantees: Guarantee[];
beforeAll(async () => {
  guarantees = readGuarantees(await readFile(join(ROOT, 'docs/guarantees.md'), 'utf8'));
});

/** Why a named test is not one, or undefined. */
const problemOf = async ({ file, title }: Guarantee['tests'][number]): Promise<string | undefined> => {
  if (file === CHAOS)
    return SCENARIOS.some(({ name }) => name === title) ? undefined : `no scenario "${title}"`;
  const source = await readFile(join(ROOT, file), 'utf8').catch(() => undefined);
  if (source === undefined || !/\.test\.tsx?$/.test(file)) return `no test file ${file}`;
  return hasTest(source, title) ? undefined : `${file} has no test "${title}"`;
};

describe('the guarantees', () => {
  it('are the eight of the contract, in order', () => {
    expect(guarantees.map(({ name }) => name)).toEqual(['G1', 'G2', 'G3', 'G4', 'G5', 'G6', 'G7', 'G8']);
  });

  it('name tests that exist, or the part that brings them', async () => {
    const tests = guarantees.flatMap((guarantee) => guarantee.tests);
    const problems = await Promise.all(tests.map(problemOf));
    expect(problems.filter((problem) => problem !== undefined)).toEqual([]);
    const unshown = guarantees.filter((guarantee) => guarantee.tests.length + guarantee.due.length === 0);
    expect(unshown).toEqual([]);
  });

  it('are held against every scenario of the chaos harness', () => {
    const named = guarantees.flatMap(({ tests }) => tests).filter(({ file }) => file === CHAOS);
    const missing = SCENARIOS.filter(({ name }) => !named.some(({ title }) => title === name));
    expect(missing.map(({ name }) => name)).toEqual([]);
  });
});

describe('a named test', () => {
  it('is found by its whole title only', () => {
    const source = `it('is whole', () => {});\ntest.each(rows)("has 'quotes'", () => {});\ntest(\n  'on a new line',`;
    const titles = ['is whole', "has 'quotes'", 'on a new line'];
    expect(titles.filter((title) => !hasTest(source, title))).toEqual([]);
    expect(['is', 'whole', 'is whole '].some((title) => hasTest(source, title))).toBe(false);
  });
});
