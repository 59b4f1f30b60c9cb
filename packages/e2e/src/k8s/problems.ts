import { z } from 'zod';
import { nameProblems } from './checks/names.ts';
import { policyProblems } from './checks/network.ts';
import { podProblems } from './checks/pods.ts';
import { referenceProblems } from './checks/references.ts';
import { selectorProblems } from './checks/selectors.ts';
import { settingProblems } from './checks/settings.ts';
import { type Cluster, readCluster } from './cluster.ts';
import type { KubeObject } from './kustomize/kube-object.ts';
import { schemaProblems } from './schema.ts';

/** Everything that is wrong with rendered objects, as sentences that name the object. */
export function findProblems(objects: readonly KubeObject[]): string[] {
  const bySchema = objects.flatMap(schemaProblems);
  let cluster: Cluster;
  try {
    cluster = readCluster(objects);
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    return [...bySchema, z.prettifyError(error)];
  }
  return [
    ...bySchema,
    ...nameProblems(objects, cluster),
    ...selectorProblems(cluster),
    ...referenceProblems(cluster),
    ...podProblems(cluster),
    ...settingProblems(cluster),
    ...policyProblems(cluster),
  ];
}
