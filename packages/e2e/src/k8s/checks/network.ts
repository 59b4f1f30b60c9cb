import { type Cluster, declaredPort, type Peer, type Policy, selects, type Workload } from '../cluster.ts';

const NAMESPACE_LABEL = 'kubernetes.io/metadata.name';

/** One end of a connection: the pods of a workload, or any pod of another namespace. */
interface End {
  name: string;
  /** Missing for a pod of another namespace, to which none of our policies applies. */
  workload?: Workload;
  namespace: string;
  ports: readonly number[];
}

/**
 * Every connection that the policies let through, as `nginx -> gateway:3000`, between the workloads and pods of
 * the given other namespaces.
 */
export function allowedConnections(
  cluster: Cluster,
  others: Readonly<Record<string, readonly number[]>>,
): string[] {
  const own = cluster.workloads.map(
    (workload): End => ({
      name: workload.metadata.name,
      workload,
      namespace: workload.metadata.namespace ?? '',
      ports: workload.spec.template.spec.containers.flatMap(({ ports }) =>
        ports.map(({ containerPort }) => containerPort),
      ),
    }),
  );
  const foreign = Object.entries(others).map(
    ([namespace, ports]): End => ({ name: namespace, namespace, ports }),
  );
  const ends = [...own, ...foreign];
  return ends.flatMap((from) =>
    ends
      .filter((to) => to !== from && (from.workload ?? to.workload))
      .flatMap((to) =>
        to.ports
          .filter((port) => allows('Egress', cluster, { subject: from, other: to, to, port }))
          .filter((port) => allows('Ingress', cluster, { subject: to, other: from, to, port }))
          .map((port) => `${from.name} -> ${to.name}:${port}`),
      ),
  );
}

interface Connection {
  /** The end that the policy is for, and the one that its peers are matched with. */
  subject: End;
  other: End;
  to: End;
  port: number;
}

function allows(type: 'Ingress' | 'Egress', { policies }: Cluster, connection: Connection): boolean {
  const { subject } = connection;
  if (!subject.workload) return true;
  const { labels } = subject.workload.spec.template.metadata;
  const applying = policies.filter(
    ({ spec }) => spec.policyTypes.includes(type) && selects(spec.podSelector, labels),
  );
  return (
    applying.length === 0 ||
    applying.some((policy) => rulesOf(policy, type).some((rule) => fits(rule, connection)))
  );
}

interface Rule {
  peers: readonly Peer[] | undefined;
  ports: readonly { port?: string | number | undefined }[] | undefined;
}

const rulesOf = ({ spec }: Policy, type: 'Ingress' | 'Egress'): Rule[] =>
  type === 'Ingress'
    ? spec.ingress.map(({ from, ports }) => ({ peers: from, ports }))
    : spec.egress.map(({ to, ports }) => ({ peers: to, ports }));

function fits({ peers, ports }: Rule, { subject, other, to, port }: Connection): boolean {
  const byPeer = !peers || peers.some((peer) => isPeer(peer, subject, other));
  const number = (wanted: string | number) => (to.workload ? declaredPort(to.workload, wanted) : wanted);
  return byPeer && (!ports || ports.some((entry) => entry.port === undefined || number(entry.port) === port));
}

function isPeer({ podSelector, namespaceSelector }: Peer, subject: End, other: End): boolean {
  const inNamespace = namespaceSelector
    ? selects(namespaceSelector, { [NAMESPACE_LABEL]: other.namespace })
    : other.namespace === subject.namespace;
  const podLabels = other.workload?.spec.template.metadata.labels ?? {};
  return inNamespace && (!podSelector || selects(podSelector, podLabels));
}

/** Policies whose selectors take no pod: a misspelt one denies more, or protects less, than it says. */
export function policyProblems({ policies, workloads }: Cluster): string[] {
  return policies.flatMap(({ metadata, spec }) => {
    const local = [
      spec.podSelector,
      ...[...spec.ingress.flatMap(({ from = [] }) => from), ...spec.egress.flatMap(({ to = [] }) => to)]
        .filter(({ namespaceSelector }) => !namespaceSelector)
        .flatMap(({ podSelector }) => podSelector ?? []),
    ];
    return local
      .filter((selector) => !workloads.some((pod) => selects(selector, pod.spec.template.metadata.labels)))
      .map((selector) => `NetworkPolicy/${metadata.name}: no pod has ${JSON.stringify(selector)}`);
  });
}
