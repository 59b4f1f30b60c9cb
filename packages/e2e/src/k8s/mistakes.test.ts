import { expect, test } from 'vitest';
import { allowedConnections } from './checks/network.ts';
import { readCluster } from './cluster.ts';
import { isMapping, type KubeObject, nameOf } from './kustomize/kube-object.ts';
import { renderOverlay } from './overlays.ts';
import { findProblems } from './problems.ts';

const rendered = await renderOverlay('prod');

/** A copy of the rendered objects with the value at a path of one of them changed; undefined removes it. */
const withChange = (where: string, value: unknown): KubeObject[] => {
  const [kind, name, ...path] = where.split('/');
  const objects = structuredClone(rendered);
  const object = objects.find((candidate) => `${kind}/${name}` === nameOf(candidate).replace(/-\w{10}$/, ''));
  const last = path.pop() ?? '';
  let parent: unknown = object;
  for (const step of path)
    parent = Array.isArray(parent) ? parent[Number(step)] : isMapping(parent) ? parent[step] : undefined;
  if (Array.isArray(parent)) parent[Number(last)] = value;
  else if (!isMapping(parent)) throw new Error(`there is no ${where}`);
  else if (value === undefined) delete parent[last];
  else parent[last] = value;
  return objects;
};

const POD = 'spec/template/spec';
const GATEWAY = `StatefulSet/gateway/${POD}`;
const API = `Deployment/api/${POD}`;
const NGINX = `Deployment/nginx/${POD}`;

/** What is changed, to what, and what is then said of it. */
const MISTAKES: [what: string, where: string, value: unknown, problem: RegExp][] = [
  // Schemas
  [
    'a misspelt field of a container',
    `${GATEWAY}/containers/0/readynessProbe`,
    {},
    /readynessProbe is not a field/,
  ],
  ['a misspelt field of an object', 'Service/gateway-nodes/spec/publishNotReadyAddress', true, /not a field/],
  ['text for a number', 'StatefulSet/gateway/spec/replicas', '3', /replicas/],
  ['text for a truth value', `${GATEWAY}/enableServiceLinks`, 'false', /enableServiceLinks/],
  ['a required field left out', 'StatefulSet/gateway/spec/selector', undefined, /selector/],
  ['a value that is not of the enumeration', `${API}/containers/0/ports/0/protocol`, 'HTTP', /protocol/],
  [
    'a version that is not generally available',
    'HorizontalPodAutoscaler/api/apiVersion',
    'autoscaling/v2beta2',
    /not one of/,
  ],
  [
    'a time with a unit where a number belongs',
    `${API}/containers/0/lifecycle/preStop/sleep/seconds`,
    '10s',
    /seconds/,
  ],
  // Names and numbers
  ['an invalid object name', 'Deployment/api/metadata/name', 'Api_1', /not a valid name/],
  ['two objects of one name', 'Service/api/metadata/name', 'redis', /Service\/redis: there twice/],
  ['a port out of range', 'Service/api/spec/ports/0/port', 70_000, /70000 is not a port/],
  [
    'a port name that is too long',
    `${API}/containers/0/ports/0/name`,
    'http-of-the-public-api',
    /not a port name/,
  ],
  // Selectors
  [
    'a selector that differs from the labels',
    'StatefulSet/gateway/spec/selector/matchLabels',
    { app: 'gateway' },
    /not for its own pods/,
  ],
  ['a Service that selects nothing', 'Service/api/spec/selector', { app: 'api' }, /pods of 0 workloads/],
  [
    'a Service that selects everything',
    'Service/api/spec/selector',
    { 'app.kubernetes.io/part-of': 'fanfare' },
    /pods of 4/,
  ],
  [
    'a targetPort that no container has',
    'Service/nginx/spec/ports/0/targetPort',
    'web',
    /nginx has no port web/,
  ],
  [
    'a StatefulSet of another Service',
    'StatefulSet/gateway/spec/serviceName',
    'gateway',
    /no Service gateway is for/,
  ],
  ['a budget that lets nobody go', 'PodDisruptionBudget/gateway/spec/maxUnavailable', 0, /never lets one go/],
  [
    'a budget for no pod',
    'PodDisruptionBudget/gateway/spec/selector/matchLabels',
    { app: 'x' },
    /pods of 0 workloads/,
  ],
  ['a count beside an autoscaler', 'Deployment/api/spec/replicas', 2, /reset the count/],
  [
    'an autoscaler of nothing',
    'HorizontalPodAutoscaler/api/spec/scaleTargetRef/name',
    'apis',
    /no Deployment\/apis/,
  ],
  ['a policy for no pod', 'NetworkPolicy/redis/spec/podSelector/matchLabels', { app: 'redis' }, /no pod has/],
  // References
  [
    'a ConfigMap that is not there',
    `${GATEWAY}/containers/0/envFrom/0/configMapRef/name`,
    'settings',
    /no ConfigMap settings/,
  ],
  [
    'a ConfigMap key that is not there',
    `${NGINX}/volumes/1/configMap/items`,
    [{ key: 'x.conf', path: 'x' }],
    /no key x.conf/,
  ],
  ['a subPath that is no key', `${NGINX}/containers/0/volumeMounts/0/subPath`, 'conf', /not conf/],
  ['a Secret key that is not there', `${GATEWAY}/volumes/0/secret/items/0/key`, 'secret', /no key secret/],
  [
    'a mount of no volume',
    `${GATEWAY}/containers/0/volumeMounts/1/name`,
    'temp',
    /volume temp, which is not there/,
  ],
  ['a variable used before it is set', `${API}/containers/0/env/1/name`, 'PASSWORD', /not set before/],
  // Pods
  ['an image without a tag', `${NGINX}/containers/0/image`, 'nginx', /not pinned/],
  ['an image that moves', `${NGINX}/containers/0/image`, 'nginx:latest', /not pinned/],
  ['no readiness probe', `${GATEWAY}/containers/0/readinessProbe`, undefined, /no readinessProbe/],
  [
    'a probe of a port that is not there',
    `${API}/containers/0/livenessProbe/httpGet/port`,
    'metrics',
    /a port metrics/,
  ],
  ['root', `${GATEWAY}/securityContext/runAsNonRoot`, undefined, /may run as root/],
  ['kept capabilities', `${API}/containers/0/securityContext/capabilities`, undefined, /keeps capabilities/],
  [
    'a folder of the machine',
    `${GATEWAY}/volumes/1`,
    { name: 'tmp', hostPath: { path: '/tmp' } },
    /is a hostPath/,
  ],
  ['no bound of memory', `${GATEWAY}/containers/0/resources/limits`, undefined, /no bound of memory/],
  ['no preStop sleep behind a Service', `${NGINX}/containers/0/lifecycle`, undefined, /no preStop sleep/],
  // Settings
  [
    'a misspelt setting',
    'ConfigMap/gateway-settings/data/FANFARE_SHUTDOWN',
    '1000',
    /did you mean FANFARE_SHUTDOWN_MS/,
  ],
  [
    'a setting of no process',
    'ConfigMap/api-settings/data/LOG_LEVL',
    'info',
    /LOG_LEVL is not a setting of api/,
  ],
  ['a value that the process refuses', 'ConfigMap/gateway-settings/data/LOG_LEVEL', 'loud', /LOG_LEVEL/],
  [
    'a port other than the declared one',
    'ConfigMap/api-settings/data/FANFARE_PORT',
    '3000',
    /listens on 3000/,
  ],
  ['less grace than a gateway needs', `${GATEWAY}/terminationGracePeriodSeconds`, 30, /killed after 30 s/],
  ['less grace than nginx needs', `${NGINX}/terminationGracePeriodSeconds`, 60, /killed after 60 s/],
];

test.each(MISTAKES)('%s is found', (_what, where, value, problem) => {
  expect(findProblems(withChange(where, value)).join('\n')).toMatch(problem);
});

test('a missing default-deny policy shows in the allowed connections', () => {
  const objects = rendered.filter((object) => nameOf(object) !== 'NetworkPolicy/default-deny');
  const connections = allowedConnections(readCluster(objects), { elsewhere: [443] });
  expect(connections).toContain('redis -> elsewhere:443');
});
