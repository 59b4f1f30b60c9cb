import { createHash } from 'node:crypto';
import { access, glob, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { argv, pid } from 'node:process';
import { fileURLToPath } from 'node:url';

const PAGE = fileURLToPath(new URL('./page/', import.meta.url));
const CLIENT = fileURLToPath(new URL('../../../packages/client/src/', import.meta.url));
const PROTOCOL = fileURLToPath(new URL('../../../packages/protocol/src/', import.meta.url));
const DIST = fileURLToPath(new URL('../dist/', import.meta.url));

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** Of everything that the page is built from in this repository. */
const fingerprint = async (): Promise<string> => {
  const hash = createHash('sha256');
  for (const folder of [PAGE, CLIENT, PROTOCOL]) {
    const files: string[] = [];
    for await (const file of glob('**/*.{ts,tsx,css,html,svg}', { cwd: folder })) files.push(file);
    for (const file of files.sort()) hash.update(`${file}\n`).update(await readFile(join(folder, file)));
  }
  for (const file of ['./contract.ts', './page-build.ts', '../package.json']) {
    hash.update(await readFile(new URL(file, import.meta.url)));
  }
  return hash.digest('hex');
};

export type PageMode = 'production' | 'development';

/** Where the page is, built as the sources are now; what was built of older ones goes. */
const take = async (built: string, folder: string): Promise<void> => {
  try {
    await rename(built, folder);
  } catch (error) {
    // Another process was faster.
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOTEMPTY')) throw error;
    await rm(built, { recursive: true });
  }
};

/**
 * The folder of the page, which is built in about a second unless it is there already as the sources are now. In
 * `development` React checks the page as it runs: StrictMode mounts everything twice.
 */
export const buildPage = async (mode: PageMode): Promise<string> => {
  const name = `page-${mode}-${(await fingerprint()).slice(0, 16)}`;
  const folder = join(DIST, name);
  if (await isThere(folder)) return folder;
  const { build } = await import('vite');
  const built = `${folder}.${pid}`;
  await build({
    configFile: false,
    mode,
    root: PAGE,
    base: '/board/',
    logLevel: 'warn',
    resolve: { conditions: ['source', 'module', 'browser', mode] },
    // Vite would take both from the environment of this process.
    define: { 'process.env.NODE_ENV': JSON.stringify(mode) },
    oxc: { jsx: { runtime: 'automatic', development: mode === 'development' } },
    build: {
      outDir: built,
      emptyOutDir: true,
      assetsInlineLimit: 0,
      target: 'es2022',
      minify: mode === 'production',
      chunkSizeWarningLimit: 4000,
    },
  });
  await take(built, folder);
  const others = (await readdir(DIST)).filter((one) => one.startsWith(`page-${mode}-`) && one !== name);
  await Promise.all(others.map((one) => rm(join(DIST, one), { recursive: true, force: true })));
  return folder;
};

// A container image builds its page when it is made.
if (argv[1] === fileURLToPath(import.meta.url)) await buildPage('production');
