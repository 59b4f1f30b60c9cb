import type { Cluster, Container, Workload } from '../cluster.ts';
import { mountedFiles, volumeFiles } from '../files.ts';

/** The one Secret, which no manifest holds, and its keys; k8s/README.md has the line that makes it. */
export const SECRETS: Readonly<Record<string, readonly string[]>> = {
  'fanfare-secrets': [
    'token-secret',
    'api-keys',
    'redis-gateway-password',
    'redis-api-password',
    'redis-operator-password',
    'outbox-database-url',
    'board-database-url',
    'board-api-key',
  ],
};

/** References to ConfigMaps, Secrets, their keys and volumes that lead nowhere. */
export function referenceProblems(cluster: Cluster): string[] {
  const used = new Set<string>();
  const problems = cluster.workloads.flatMap((workload) => {
    const { containers, volumes } = workload.spec.template.spec;
    for (const { configMap } of volumes) if (configMap) used.add(configMap.name);
    for (const { envFrom } of containers) for (const { configMapRef } of envFrom) used.add(configMapRef.name);
    const found = [
      ...volumeProblems(cluster, workload),
      ...containers.flatMap((container) => [
        ...environmentProblems(cluster, container),
        ...mountProblems(cluster, workload, container),
      ]),
    ];
    return found.map((problem) => `${workload.kind}/${workload.metadata.name}: ${problem}`);
  });
  const unused = [...cluster.configMaps.keys()].filter((name) => !used.has(name));
  return [...problems, ...unused.map((name) => `ConfigMap/${name}: nothing uses it`)];
}

const keyProblem = (
  kind: string,
  keys: readonly string[] | undefined,
  wanted: { name: string; key: string },
) => {
  if (!keys) return [`there is no ${kind} ${wanted.name}`];
  return keys.includes(wanted.key) ? [] : [`${kind} ${wanted.name} has no key ${wanted.key}`];
};

const configKeys = (cluster: Cluster, name: string) => {
  const data = cluster.configMaps.get(name);
  return data && Object.keys(data);
};

function volumeProblems(cluster: Cluster, { spec }: Workload): string[] {
  const pod = spec.template.spec;
  const mounted = new Set(pod.containers.flatMap(({ volumeMounts }) => volumeMounts.map(({ name }) => name)));
  return pod.volumes.flatMap(({ name, configMap, secret, emptyDir }) => [
    ...(mounted.has(name) ? [] : [`volume ${name} is mounted nowhere`]),
    ...(emptyDir && emptyDir.sizeLimit === undefined ? [`volume ${name} has no size limit`] : []),
    ...(configMap && !cluster.configMaps.has(configMap.name)
      ? [`there is no ConfigMap ${configMap.name}`]
      : []),
    ...(configMap?.items ?? []).flatMap(({ key }) =>
      keyProblem('ConfigMap', configKeys(cluster, configMap?.name ?? ''), {
        name: configMap?.name ?? '',
        key,
      }),
    ),
    ...(secret && !secret.items ? [`volume ${name} takes more of ${secret.secretName} than it needs`] : []),
    ...(secret?.items ?? []).flatMap(({ key }) =>
      keyProblem('Secret', SECRETS[secret?.secretName ?? ''], { name: secret?.secretName ?? '', key }),
    ),
  ]);
}

function environmentProblems(cluster: Cluster, { env, envFrom }: Container): string[] {
  const sources = envFrom
    .filter(({ configMapRef }) => !cluster.configMaps.has(configMapRef.name))
    .map(({ configMapRef }) => `there is no ConfigMap ${configMapRef.name}`);
  const earlier = new Set<string>();
  const variables = env.flatMap(({ name, value, valueFrom }) => {
    // Kubernetes leaves $(NAME) as it stands when NAME comes later or is not there.
    const dangling = [...(value ?? '').matchAll(/\$\(([^)]+)\)/g)]
      .filter(([, reference]) => !earlier.has(reference ?? ''))
      .map(([text]) => `${name} has ${text}, which is not set before it`);
    const twice = earlier.has(name) ? [`${name} is set twice`] : [];
    earlier.add(name);
    const { secretKeyRef, configMapKeyRef } = valueFrom ?? {};
    return [
      ...dangling,
      ...twice,
      ...(secretKeyRef ? keyProblem('Secret', SECRETS[secretKeyRef.name], secretKeyRef) : []),
      ...(configMapKeyRef
        ? keyProblem('ConfigMap', configKeys(cluster, configMapKeyRef.name), configMapKeyRef)
        : []),
    ];
  });
  return [...sources, ...variables];
}

function mountProblems(cluster: Cluster, workload: Workload, container: Container): string[] {
  const { volumes } = workload.spec.template.spec;
  const claims = workload.spec.volumeClaimTemplates.map(({ metadata }) => metadata.name);
  const files = mountedFiles(cluster, workload, container);
  const paths = container.volumeMounts.map(({ mountPath }) => mountPath);
  return container.volumeMounts.flatMap(({ name, mountPath, subPath }, index) => {
    const volume = volumes.find((candidate) => candidate.name === name);
    if (!volume && !claims.includes(name)) return [`${mountPath} is of a volume ${name}, which is not there`];
    const lost = subPath !== undefined && !files.has(mountPath);
    return [
      ...(paths.indexOf(mountPath) < index ? [`${mountPath} is mounted twice`] : []),
      ...(lost && volume
        ? [`volume ${name} has ${[...volumeFiles(cluster, volume).keys()]}, not ${subPath}`]
        : []),
    ];
  });
}
