import { z } from 'zod';
import type { KubeObject } from './kustomize/kube-object.ts';

const labels = z.record(z.string(), z.string());

const labelSelector = z.object({
  matchLabels: labels.optional(),
  matchExpressions: z
    .array(
      z.object({
        key: z.string(),
        operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
        values: z.array(z.string()).default([]),
      }),
    )
    .optional(),
});
export type LabelSelector = z.output<typeof labelSelector>;

const port = z.union([z.string(), z.int()]);
const metadata = z.object({ name: z.string(), namespace: z.string().optional(), labels: labels.optional() });
const keyRef = z.object({ name: z.string(), key: z.string() });
const items = z.array(z.object({ key: z.string(), path: z.string() })).optional();

const probe = z.object({
  httpGet: z.object({ path: z.string(), port }).optional(),
  exec: z.object({ command: z.array(z.string()) }).optional(),
});

const container = z.object({
  name: z.string(),
  image: z.string(),
  command: z.array(z.string()).default([]),
  args: z.array(z.string()).default([]),
  ports: z
    .array(z.object({ name: z.string().optional(), containerPort: z.int(), hostPort: z.int().optional() }))
    .default([]),
  envFrom: z.array(z.object({ configMapRef: z.object({ name: z.string() }) })).default([]),
  env: z
    .array(
      z.object({
        name: z.string(),
        value: z.string().optional(),
        valueFrom: z
          .object({
            secretKeyRef: keyRef.optional(),
            configMapKeyRef: keyRef.optional(),
            fieldRef: z.object({ fieldPath: z.string() }).optional(),
          })
          .optional(),
      }),
    )
    .default([]),
  startupProbe: probe.optional(),
  livenessProbe: probe.optional(),
  readinessProbe: probe.optional(),
  lifecycle: z
    .object({ preStop: z.object({ sleep: z.object({ seconds: z.int() }).optional() }).optional() })
    .optional(),
  resources: z.object({ requests: labels.optional(), limits: labels.optional() }).default({}),
  securityContext: z
    .object({
      privileged: z.boolean().optional(),
      allowPrivilegeEscalation: z.boolean().optional(),
      readOnlyRootFilesystem: z.boolean().optional(),
      runAsNonRoot: z.boolean().optional(),
      runAsUser: z.int().optional(),
      seccompProfile: z.object({ type: z.string() }).optional(),
      capabilities: z
        .object({ drop: z.array(z.string()).default([]), add: z.array(z.string()).default([]) })
        .optional(),
    })
    .default({}),
  volumeMounts: z
    .array(z.object({ name: z.string(), mountPath: z.string(), subPath: z.string().optional() }))
    .default([]),
});
export type Container = z.output<typeof container>;

const volume = z.looseObject({
  name: z.string(),
  configMap: z.object({ name: z.string(), items }).optional(),
  secret: z.object({ secretName: z.string(), items }).optional(),
  emptyDir: z.object({ sizeLimit: z.string().optional() }).optional(),
});
export type Volume = z.output<typeof volume>;

const podSpec = z.object({
  automountServiceAccountToken: z.boolean().optional(),
  enableServiceLinks: z.boolean().optional(),
  terminationGracePeriodSeconds: z.int().default(30),
  hostNetwork: z.boolean().optional(),
  hostPID: z.boolean().optional(),
  hostIPC: z.boolean().optional(),
  securityContext: z
    .object({
      runAsNonRoot: z.boolean().optional(),
      runAsUser: z.int().optional(),
      seccompProfile: z.object({ type: z.string() }).optional(),
    })
    .default({}),
  topologySpreadConstraints: z.array(z.object({ labelSelector })).default([]),
  initContainers: z.array(container).default([]),
  containers: z.array(container).min(1),
  volumes: z.array(volume).default([]),
});

const workload = z.object({
  kind: z.enum(['Deployment', 'StatefulSet']),
  metadata,
  spec: z.object({
    replicas: z.int().optional(),
    serviceName: z.string().optional(),
    selector: labelSelector,
    template: z.object({ metadata: z.object({ labels }), spec: podSpec }),
    volumeClaimTemplates: z.array(z.object({ metadata: z.object({ name: z.string() }) })).default([]),
  }),
});
export type Workload = z.output<typeof workload>;

const service = z.object({
  metadata,
  spec: z.object({
    clusterIP: z.string().optional(),
    publishNotReadyAddresses: z.boolean().default(false),
    selector: labels,
    ports: z.array(z.object({ name: z.string().optional(), port: z.int(), targetPort: port.optional() })),
  }),
});

const budget = z.object({
  metadata,
  spec: z.object({ minAvailable: port.optional(), maxUnavailable: port.optional(), selector: labelSelector }),
});

const autoscaler = z.object({
  metadata,
  spec: z.object({
    scaleTargetRef: z.object({ kind: z.string(), name: z.string() }),
    minReplicas: z.int().default(1),
    maxReplicas: z.int(),
  }),
});

const peer = z.object({ podSelector: labelSelector.optional(), namespaceSelector: labelSelector.optional() });
const policyPorts = z.array(z.object({ port: port.optional() })).optional();

const policy = z.object({
  metadata,
  spec: z.object({
    podSelector: labelSelector,
    policyTypes: z.array(z.enum(['Ingress', 'Egress'])),
    ingress: z.array(z.object({ from: z.array(peer).optional(), ports: policyPorts })).default([]),
    egress: z.array(z.object({ to: z.array(peer).optional(), ports: policyPorts })).default([]),
  }),
});
export type Policy = z.output<typeof policy>;
export type Peer = z.output<typeof peer>;

const configMap = z.object({ metadata, data: labels.default({}) });

const SHAPES = { workload, service, budget, autoscaler, policy, configMap };
const KINDS: Readonly<Record<string, keyof typeof SHAPES>> = {
  Deployment: 'workload',
  StatefulSet: 'workload',
  Service: 'service',
  PodDisruptionBudget: 'budget',
  HorizontalPodAutoscaler: 'autoscaler',
  NetworkPolicy: 'policy',
  ConfigMap: 'configMap',
};

/** The rendered objects by kind, with the fields that the checks look at. */
export function readCluster(objects: readonly KubeObject[]) {
  const all = <Shape extends z.ZodType>(name: keyof typeof SHAPES, shape: Shape): z.output<Shape>[] =>
    objects.filter(({ kind }) => KINDS[kind] === name).map((object) => shape.parse(object));
  return {
    workloads: all('workload', workload),
    services: all('service', service),
    budgets: all('budget', budget),
    autoscalers: all('autoscaler', autoscaler),
    policies: all('policy', policy),
    configMaps: new Map(all('configMap', configMap).map((map) => [map.metadata.name, map.data])),
  };
}

export type Cluster = ReturnType<typeof readCluster>;

/** Whether a selector takes a pod or a namespace with these labels. */
export function selects(selector: LabelSelector, on: Readonly<Record<string, string>>): boolean {
  const byLabel = Object.entries(selector.matchLabels ?? {}).every(([key, value]) => on[key] === value);
  const byExpression = (selector.matchExpressions ?? []).every(({ key, operator, values }) => {
    const value = on[key];
    if (operator === 'Exists') return value !== undefined;
    if (operator === 'DoesNotExist') return value === undefined;
    const isIn = value !== undefined && values.includes(value);
    return operator === 'In' ? isIn : !isIn;
  });
  return byLabel && byExpression;
}

/** Number of a port of a pod, given by name or number; undefined when no container declares it. */
export function declaredPort(workload: Workload, wanted: string | number): number | undefined {
  return workload.spec.template.spec.containers
    .flatMap(({ ports }) => ports)
    .find(({ name, containerPort }) => wanted === name || wanted === containerPort)?.containerPort;
}
