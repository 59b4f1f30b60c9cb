import { type Cluster, declaredPort, selects, type Workload } from '../cluster.ts';

/** Selectors that take no pod, ports that no container has, budgets and autoscalers that do not fit. */
export function selectorProblems(cluster: Cluster): string[] {
  return [
    ...cluster.workloads.flatMap((workload) => workloadProblems(cluster, workload)),
    ...serviceProblems(cluster),
    ...budgetProblems(cluster),
    ...autoscalerProblems(cluster),
  ];
}

const labelsOf = (workload: Workload) => workload.spec.template.metadata.labels;

function workloadProblems(cluster: Cluster, workload: Workload): string[] {
  const { kind, metadata, spec } = workload;
  const where = `${kind}/${metadata.name}`;
  const problems = [];
  if (!selects(spec.selector, labelsOf(workload)))
    problems.push(`${where}: its selector is not for its own pods`);
  const others = cluster.workloads.filter(
    (other) => other !== workload && selects(spec.selector, labelsOf(other)),
  );
  for (const other of others)
    problems.push(`${where}: its selector takes the pods of ${other.metadata.name} too`);
  for (const { labelSelector } of spec.template.spec.topologySpreadConstraints) {
    if (!selects(labelSelector, labelsOf(workload)))
      problems.push(`${where}: spreads other pods than its own`);
  }
  if (kind === 'StatefulSet') {
    const governing = cluster.services.find((service) => service.metadata.name === spec.serviceName);
    if (!governing || !selects({ matchLabels: governing.spec.selector }, labelsOf(workload))) {
      problems.push(`${where}: no Service ${spec.serviceName} is for its pods`);
    }
  }
  return problems;
}

function serviceProblems({ services, workloads }: Cluster): string[] {
  return services.flatMap(({ metadata, spec }) => {
    const where = `Service/${metadata.name}`;
    const pods = workloads.filter((workload) => selects({ matchLabels: spec.selector }, labelsOf(workload)));
    if (pods.length !== 1) return [`${where}: its selector takes the pods of ${pods.length} workloads`];
    return pods.flatMap((pod) =>
      spec.ports
        .filter(({ port, targetPort }) => declaredPort(pod, targetPort ?? port) === undefined)
        .map(({ port, targetPort }) => `${where}: ${pod.metadata.name} has no port ${targetPort ?? port}`),
    );
  });
}

/** How many pods a workload is sure to have. */
export function replicasOf(cluster: Cluster, { metadata, spec }: Workload): number {
  const autoscaler = cluster.autoscalers.find((scaler) => scaler.spec.scaleTargetRef.name === metadata.name);
  return autoscaler?.spec.minReplicas ?? spec.replicas ?? 1;
}

function budgetProblems(cluster: Cluster): string[] {
  return cluster.budgets.flatMap(({ metadata, spec }) => {
    const where = `PodDisruptionBudget/${metadata.name}`;
    const pods = cluster.workloads.filter((workload) => selects(spec.selector, labelsOf(workload)));
    const [pod] = pods;
    if (!pod || pods.length > 1) return [`${where}: its selector takes the pods of ${pods.length} workloads`];
    const { minAvailable, maxUnavailable } = spec;
    if (typeof maxUnavailable === 'number' && maxUnavailable >= 1 && minAvailable === undefined) return [];
    if (typeof minAvailable === 'number' && minAvailable < replicasOf(cluster, pod)) return [];
    return [`${where}: with ${replicasOf(cluster, pod)} pods it never lets one go`];
  });
}

function autoscalerProblems({ autoscalers, workloads }: Cluster): string[] {
  return autoscalers.flatMap(({ metadata, spec }) => {
    const where = `HorizontalPodAutoscaler/${metadata.name}`;
    const target = workloads.find(
      ({ kind, metadata }) => kind === spec.scaleTargetRef.kind && metadata.name === spec.scaleTargetRef.name,
    );
    if (!target) return [`${where}: there is no ${spec.scaleTargetRef.kind}/${spec.scaleTargetRef.name}`];
    const problems = [];
    if (spec.minReplicas > spec.maxReplicas) problems.push(`${where}: the least is more than the most`);
    if (target.spec.replicas !== undefined)
      problems.push(`${where}: every apply would reset the count it has set`);
    return problems;
  });
}
