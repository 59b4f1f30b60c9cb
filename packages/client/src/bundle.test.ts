import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build, type Metafile } from 'esbuild';
import { expect, it } from 'vitest';

/** What a page loads beside the stock client and React. */
const bundle = async (entry: string): Promise<{ code: string; metafile: Metafile }> => {
  const { outputFiles, metafile } = await build({
    stdin: {
      contents: `export * from '${entry}';`,
      resolveDir: fileURLToPath(new URL('.', import.meta.url)),
    },
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    conditions: ['source'],
    external: ['socket.io-client', 'react'],
    metafile: true,
    write: false,
  });
  return { code: outputFiles.map(({ text }) => text).join(''), metafile };
};

it.each([
  ['@fanfare/client', 7000],
  ['@fanfare/client/react', 1200],
])('%s adds at most %i bytes to a page, gzipped', async (entry, bytes) => {
  const { code } = await bundle(entry);
  expect(gzipSync(code, { level: 9 }).length).toBeLessThan(bytes);
});

it.each(['@fanfare/client', '@fanfare/client/react'])(
  '%s is made of its own files only and needs nothing of Node',
  async (entry) => {
    const { code, metafile } = await bundle(entry);
    const foreign = Object.keys(metafile.inputs).filter((path) => /node_modules|protocol/.test(path));
    expect(foreign).toEqual([]);
    expect(code).not.toMatch(/\b(process|Buffer|require|__dirname)\b/);
  },
);
