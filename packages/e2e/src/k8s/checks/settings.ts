import { apiSettings, loadApiConfig } from '@fanfare/api/config';
import { BOARD_SHUTDOWN_MS, boardSettings, loadBoardConfig } from '@fanfare/board/config';
import { gatewaySettings, loadGatewayConfig } from '@fanfare/gateway/config';
import { type Cluster, type Container, declaredPort, type Workload } from '../cluster.ts';
import { mountedFiles } from '../files.ts';

interface App {
  names: readonly string[];
  /** Where it listens, by the names of its ports, and what it warns about; throws for what it refuses. */
  load(env: Record<string, string>): { ports: Readonly<Record<string, number>>; warnings: readonly string[] };
  shutdownMs(env: Record<string, string>): number;
}

interface TwoPorts {
  http: { port: number };
  ops: { port: number };
  warnings: readonly string[];
}

const ofCluster = (names: readonly string[], load: (env: Record<string, string>) => TwoPorts): App => ({
  names,
  load: (env) => {
    const { http, ops, warnings } = load(env);
    return { ports: { http: http.port, ops: ops.port }, warnings };
  },
  shutdownMs: (env) => Number(env.FANFARE_SHUTDOWN_MS ?? Number.NaN),
});

/** Our own processes, by the name of their container. */
const APPS: Readonly<Record<string, App>> = {
  gateway: ofCluster(Object.keys(gatewaySettings.shape), loadGatewayConfig),
  api: ofCluster(Object.keys(apiSettings.shape), loadApiConfig),
  board: {
    names: Object.keys(boardSettings.shape),
    load: (env) => ({ ports: { http: loadBoardConfig(env).port }, warnings: [] }),
    shutdownMs: () => BOARD_SHUTDOWN_MS,
  },
};

/** Values that the keys of the Secret could have. */
export const SAMPLE_SECRETS: Readonly<Record<string, string>> = {
  'token-secret': '0123456789abcdef0123456789abcdef',
  'api-keys': 'backend:0123456789abcdef',
  'redis-gateway-password': '89abcdef01234567',
  'redis-api-password': '9abcdef012345678',
  'redis-operator-password': 'abcdef0123456789',
  'outbox-database-url': 'postgres://user:password@host/database',
  'board-database-url': 'postgres://user:password@host/database',
  'board-api-key': '0123456789abcdef',
};

/** Environments that our processes would refuse or warn about, and ports or deadlines that do not fit them. */
export function settingProblems(cluster: Cluster): string[] {
  return cluster.workloads.flatMap((workload) => {
    const problems = workload.spec.template.spec.containers.flatMap((container) => {
      const app = APPS[container.name];
      return [
        ...(app ? appProblems(app, environmentOf(cluster, workload, container), workload) : []),
        ...deadlineProblems(cluster, workload, container),
      ];
    });
    return problems.map((problem) => `${workload.kind}/${workload.metadata.name}: ${problem}`);
  });
}

/** The variables of a container as Kubernetes would set them, with sample secrets, also in place of `NAME_FILE`. */
export function environmentOf(
  cluster: Cluster,
  workload: Workload,
  container: Container,
): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const { configMapRef } of container.envFrom) {
    Object.assign(variables, cluster.configMaps.get(configMapRef.name));
  }
  const files = mountedFiles(cluster, workload, container);
  for (const { name, value, valueFrom } of container.env) {
    const { secretKeyRef, configMapKeyRef, fieldRef } = valueFrom ?? {};
    const file = name.endsWith('_FILE') ? files.get(value ?? '') : undefined;
    if (file?.secretKey !== undefined)
      variables[name.slice(0, -'_FILE'.length)] = SAMPLE_SECRETS[file.secretKey] ?? '';
    else if (value !== undefined) {
      variables[name] = value.replace(/\$\(([^)]+)\)/g, (text, other: string) => variables[other] ?? text);
    } else if (secretKeyRef) variables[name] = SAMPLE_SECRETS[secretKeyRef.key] ?? '';
    else if (configMapKeyRef)
      variables[name] = cluster.configMaps.get(configMapKeyRef.name)?.[configMapKeyRef.key] ?? '';
    else if (fieldRef?.fieldPath === 'metadata.name') variables[name] = `${workload.metadata.name}-0`;
  }
  return variables;
}

function appProblems(app: App, env: Record<string, string>, workload: Workload): string[] {
  const { containers } = workload.spec.template.spec;
  const parts = containers.flatMap((container) => container.env.flatMap(({ value }) => value ?? []));
  const stray = Object.keys(env).filter(
    (name) => !app.names.includes(name) && !parts.some((value) => value.includes(`$(${name})`)),
  );
  const problems = stray.map((name) => `${name} is not a setting of ${workload.metadata.name}`);
  try {
    const { ports, warnings } = app.load(env);
    problems.push(...warnings);
    for (const [name, port] of Object.entries(ports)) {
      if (declaredPort(workload, name) !== port)
        problems.push(`it listens on ${port}, which is not its port ${name}`);
    }
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
  }
  return problems;
}

function deadlineProblems(cluster: Cluster, workload: Workload, container: Container): string[] {
  const { terminationGracePeriodSeconds } = workload.spec.template.spec;
  const sleepSeconds = container.lifecycle?.preStop?.sleep?.seconds ?? 0;
  const needed = sleepSeconds + shutdownSeconds(cluster, workload, container);
  return terminationGracePeriodSeconds > needed
    ? []
    : [`is killed after ${terminationGracePeriodSeconds} s, but may need ${needed} s to end`];
}

/** How long a container may take to end once it is told to. */
function shutdownSeconds(cluster: Cluster, workload: Workload, container: Container): number {
  const app = APPS[container.name];
  if (app) return app.shutdownMs(environmentOf(cluster, workload, container)) / 1_000;
  const files = [...mountedFiles(cluster, workload, container).values()];
  const bound = files
    .map(({ text }) => /^worker_shutdown_timeout (\d+)s;$/m.exec(text ?? '')?.[1])
    .find(Boolean);
  return Number(bound ?? 0);
}
