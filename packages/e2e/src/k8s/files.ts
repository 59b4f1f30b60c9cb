import { join } from 'node:path/posix';
import type { Cluster, Container, Volume, Workload } from './cluster.ts';

/** A file that a container finds in its pod: of a ConfigMap with its text, of a Secret without. */
export interface MountedFile {
  text?: string;
  secretKey?: string;
}

/** The files that ConfigMaps and Secrets put into a container, by absolute path. */
export function mountedFiles(
  cluster: Cluster,
  workload: Workload,
  container: Container,
): Map<string, MountedFile> {
  const files = new Map<string, MountedFile>();
  for (const { name, mountPath, subPath } of container.volumeMounts) {
    const volume = workload.spec.template.spec.volumes.find((candidate) => candidate.name === name);
    if (!volume) continue;
    for (const [path, file] of volumeFiles(cluster, volume)) {
      if (subPath === undefined) files.set(join(mountPath, path), file);
      else if (subPath === path) files.set(mountPath, file);
    }
  }
  return files;
}

/** What a volume holds, by path in the volume; a key that its ConfigMap lacks is left out. */
export function volumeFiles(cluster: Cluster, { configMap, secret }: Volume): Map<string, MountedFile> {
  if (secret) return new Map((secret.items ?? []).map(({ key, path }) => [path, { secretKey: key }]));
  if (!configMap) return new Map();
  const data = cluster.configMaps.get(configMap.name) ?? {};
  const wanted = configMap.items ?? Object.keys(data).map((key) => ({ key, path: key }));
  return new Map(
    wanted.flatMap(({ key, path }) => {
      const text = data[key];
      return text === undefined ? [] : [[path, { text }] as const];
    }),
  );
}
