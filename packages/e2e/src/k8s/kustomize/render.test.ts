import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { findBinary, ManagedProcess } from '@fanfare/testing';
import { describe, expect, test } from 'vitest';
import { OVERLAYS, overlayFolder } from '../overlays.ts';
import { type KubeObject, nameOf, parseObjects } from './kube-object.ts';
import { renderKustomization } from './render.ts';

const kubectl = await findBinary({
  names: ['kubectl'],
  variable: 'KUBECTL',
  install: 'https://kubernetes.io/docs/tasks/tools/',
}).catch(() => undefined);

const renderWithKubectl = async (command: string, folder: string): Promise<KubeObject[]> => {
  const lines: string[] = [];
  const child = await ManagedProcess.start({
    command,
    args: ['kustomize', folder],
    onLine: (line, stream) => stream === 'stdout' && lines.push(line),
  });
  const { code } = await child.exited;
  if (code !== 0) throw child.failure(`ended with code ${code}`);
  return parseObjects(lines.join('\n'), 'kubectl');
};

const byName = (objects: readonly KubeObject[]) =>
  Object.fromEntries(objects.map((object) => [nameOf(object), object]));

/** A folder with these files, by path. */
const folderWith = async (files: Readonly<Record<string, string>>) => {
  const dir = await mkdtemp(join(tmpdir(), 'fanfare-kustomize-'));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(dir, path)), { recursive: true });
    await writeFile(join(dir, path), text);
  }
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true }) };
};

const HEAD = 'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n';

// The renderer stands in for kubectl on machines without one; where there is one, it has the last word.
describe.runIf(kubectl)('kubectl', () => {
  test.each(OVERLAYS)('renders the overlay %s to the same objects', async (overlay) => {
    const folder = overlayFolder(overlay);
    const expected = await renderWithKubectl(kubectl ?? '', folder);
    expect(byName(await renderKustomization(folder))).toEqual(byName(expected));
  });

  test('gives the same names to ConfigMaps whose text needs escaping', async () => {
    await using folder = await folderWith({
      'kustomization.yaml': `${HEAD}configMapGenerator:\n  - name: odd\n    files: [odd.conf]\n    literals: ['Q="x=1"', B=<&>]\n`,
      'odd.conf': 'a <b> & "c"\t\\ \u2028 é\n',
    });
    const expected = await renderWithKubectl(kubectl ?? '', folder.dir);
    expect(await renderKustomization(folder.dir)).toEqual(expected);
  });
});

test('a field of kustomize that the renderer does not know is an error', async () => {
  await using folder = await folderWith({ 'kustomization.yaml': `${HEAD}namePrefix: my-\n` });
  await expect(renderKustomization(folder.dir)).rejects.toThrow(/namePrefix/);
});

test('a file outside of the folder is an error, as it is for kubectl', async () => {
  await using folder = await folderWith({
    'up.conf': '',
    'base/kustomization.yaml': `${HEAD}configMapGenerator:\n  - name: x\n    files: [../up.conf]\n`,
  });
  await expect(renderKustomization(join(folder.dir, 'base'))).rejects.toThrow(/outside/);
});

test.each([
  [
    'a patch for an object that is not there',
    'patches:\n  - path: patch.yaml\n',
    /Deployment\/x, which is not there/,
  ],
  [
    'an image that no container has',
    'images:\n  - name: x\n    newTag: 1.0.0\n',
    /no container has the image x/,
  ],
  [
    'a count for a workload that is not there',
    'replicas:\n  - name: x\n    count: 1\n',
    /no workload is named x/,
  ],
  [
    'a merge into a ConfigMap that is not there',
    'configMapGenerator:\n  - name: x\n    behavior: merge\n    literals: [A=1]\n',
    /cannot merge ConfigMap x/,
  ],
])('%s is an error', async (_name, text, message) => {
  await using folder = await folderWith({
    'kustomization.yaml': HEAD + text,
    'patch.yaml': 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n',
  });
  await expect(renderKustomization(folder.dir)).rejects.toThrow(message);
});
