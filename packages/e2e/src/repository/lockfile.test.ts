import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { z } from 'zod';

const lockfile = z.object({
  packages: z.record(
    z.string(),
    z.object({ optionalDependencies: z.record(z.string(), z.string()).optional() }),
  ),
});

const { packages } = lockfile.parse(
  JSON.parse(readFileSync(new URL('../../../../package-lock.json', import.meta.url), 'utf8')),
);

/** Where Node looks for a package from another one, the nearest folder first. */
const candidates = (from: string, name: string): string[] => {
  const folders = from
    .split('/node_modules/')
    .map((_, i, parts) => parts.slice(0, i + 1).join('/node_modules/'));
  return [...folders.reverse().map((folder) => `${folder}/node_modules/${name}`), `node_modules/${name}`];
};

// A lockfile written where a registry lacks some of them loses them, and `npm ci` of newer npm refuses the rest.
test('the lockfile has the binaries of every platform, so that npm ci works on each', () => {
  const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies)
      .filter((name) => !candidates(path, name).some((candidate) => candidate in packages))
      .map((name) => `${name} of ${path}`),
  );
  expect(missing).toEqual([]);
});
