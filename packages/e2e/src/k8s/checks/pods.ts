import { type Cluster, type Container, declaredPort, selects, type Workload } from '../cluster.ts';

/** What the restricted Pod Security Standard allows as a volume, of what there is. */
const VOLUMES = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'persistentVolumeClaim',
  'projected',
  'secret',
];
const PINNED = /^[a-z0-9./-]+(:\d+\.\d+\.\d+[\w.-]*)?(@sha256:[0-9a-f]{64})?(?<=[:@].+)$/;

/** Pods that are less safe, less observed or less predictable than every pod here has to be. */
export function podProblems(cluster: Cluster): string[] {
  return cluster.workloads.flatMap((workload) => {
    const { containers, initContainers } = workload.spec.template.spec;
    return [
      ...restrictedPodProblems(workload),
      ...[...containers, ...initContainers].flatMap((container) => [
        ...restrictedContainerProblems(workload, container),
        ...resourceProblems(container),
      ]),
      ...containers.flatMap((container) => probeProblems(workload, container)),
      ...(needsPreStop(cluster, workload)
        ? ['stops before its Service has stopped sending: no preStop sleep']
        : []),
    ].map((problem) => `${workload.kind}/${workload.metadata.name}: ${problem}`);
  });
}

function restrictedPodProblems({ spec }: Workload): string[] {
  const pod = spec.template.spec;
  const problems = [];
  if (pod.hostNetwork || pod.hostPID || pod.hostIPC) problems.push('shares a namespace of its machine');
  if (pod.automountServiceAccountToken !== false) problems.push('gets a token for the Kubernetes API');
  if (pod.enableServiceLinks !== false) problems.push('gets a variable for every Service of the namespace');
  for (const { name, ...source } of pod.volumes) {
    const kinds = Object.keys(source).filter((key) => !VOLUMES.includes(key));
    if (kinds.length > 0) problems.push(`volume ${name} is a ${kinds.join()}`);
  }
  return problems;
}

function restrictedContainerProblems(
  { spec }: Workload,
  { name, ports, securityContext: own }: Container,
): string[] {
  const pod = spec.template.spec.securityContext;
  const problems = [];
  if (own.privileged) problems.push(`${name} is privileged`);
  if (own.allowPrivilegeEscalation !== false) problems.push(`${name} may escalate its privileges`);
  if (!own.capabilities?.drop.includes('ALL')) problems.push(`${name} keeps capabilities`);
  if (own.capabilities?.add.length) problems.push(`${name} adds capabilities`);
  if ((own.runAsNonRoot ?? pod.runAsNonRoot) !== true) problems.push(`${name} may run as root`);
  // An image's user may be a name, of which Kubernetes cannot tell that it is not root.
  if (!(own.runAsUser ?? pod.runAsUser)) problems.push(`${name} has no user by number`);
  if ((own.seccompProfile ?? pod.seccompProfile)?.type !== 'RuntimeDefault')
    problems.push(`${name} has no seccomp`);
  if (own.readOnlyRootFilesystem !== true) problems.push(`${name} may write to its image`);
  if (ports.some(({ hostPort }) => hostPort !== undefined))
    problems.push(`${name} takes a port of its machine`);
  return problems;
}

function resourceProblems({ name, image, resources }: Container): string[] {
  const { requests = {}, limits = {} } = resources;
  const problems = [];
  if (!PINNED.test(image)) problems.push(`${name} has an image that is not pinned: ${image}`);
  if (requests.cpu === undefined) problems.push(`${name} requests no CPU`);
  if (requests.memory === undefined || limits.memory === undefined)
    problems.push(`${name} has no bound of memory`);
  else if (bytes(requests.memory) > bytes(limits.memory))
    problems.push(`${name} requests more memory than its limit`);
  return problems;
}

const UNITS: Readonly<Record<string, number>> = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30 };

/** A quantity of memory in bytes; NaN for a unit other than these three. */
export function bytes(quantity: string): number {
  const [, amount, unit = ''] = /^(\d+)(\w+)$/.exec(quantity) ?? [];
  return Number(amount) * (UNITS[unit] ?? Number.NaN);
}

function probeProblems(workload: Workload, container: Container): string[] {
  const probes = (['startupProbe', 'livenessProbe', 'readinessProbe'] as const).map(
    (name) => [name, container[name]] as const,
  );
  return probes.flatMap(([name, probe]) => {
    if (!probe) return [`${container.name} has no ${name}`];
    const { httpGet, exec } = probe;
    if (!httpGet) return exec ? [] : [`${container.name}: its ${name} asks nothing`];
    return declaredPort(workload, httpGet.port) === undefined
      ? [`${container.name}: its ${name} is for a port ${httpGet.port}, which is not there`]
      : [];
  });
}

/**
 * Behind a Service that lists ready pods only, requests arrive until every machine has heard of the end. A
 * StatefulSet's pods have no other to hand over to: theirs is a name that goes with the pod.
 */
function needsPreStop(cluster: Cluster, { kind, spec }: Workload): boolean {
  const { labels } = spec.template.metadata;
  const listed = cluster.services.some(
    (service) =>
      selects({ matchLabels: service.spec.selector }, labels) && !service.spec.publishNotReadyAddresses,
  );
  const sleeps = spec.template.spec.containers.some(
    ({ lifecycle }) => (lifecycle?.preStop?.sleep?.seconds ?? 0) >= 5,
  );
  return listed && !sleeps && kind === 'Deployment';
}
