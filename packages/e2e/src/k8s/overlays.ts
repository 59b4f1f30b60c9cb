import { fileURLToPath } from 'node:url';
import { type Cluster, readCluster, type Workload } from './cluster.ts';
import type { KubeObject } from './kustomize/kube-object.ts';
import { renderKustomization } from './kustomize/render.ts';

/** The folder of the repository. */
export const REPOSITORY = fileURLToPath(new URL('../../../../', import.meta.url));

/** What `kubectl apply -k` is told, one for each way of running the cluster. */
export const OVERLAYS = ['dev', 'prod', 'board'] as const;
export type Overlay = (typeof OVERLAYS)[number];

export const overlayFolder = (overlay: Overlay): string => `${REPOSITORY}k8s/overlays/${overlay}`;

export const renderOverlay = (overlay: Overlay): Promise<KubeObject[]> =>
  renderKustomization(overlayFolder(overlay));

export const clusterOf = async (overlay: Overlay): Promise<Cluster> =>
  readCluster(await renderOverlay(overlay));

/** A workload by its name, which has to be there. */
export function workloadOf(cluster: Cluster, name: string): Workload {
  const workload = cluster.workloads.find(({ metadata }) => metadata.name === name);
  if (!workload) throw new Error(`there is no workload ${name}`);
  return workload;
}
