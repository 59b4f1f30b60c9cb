import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { findBinary, freePort, ManagedProcess, NGINX, NginxServer } from '@fanfare/testing';
import { describe, expect, test } from 'vitest';
import { DnsServer } from '../nginx/dns-server.ts';
import { RecordingBackend } from '../nginx/recording-backend.ts';
import { replicasOf } from './checks/selectors.ts';
import { type Cluster, declaredPort } from './cluster.ts';
import { mountedFiles } from './files.ts';
import { clusterOf, OVERLAYS, workloadOf } from './overlays.ts';

/** A pod's folder /etc/nginx, with these texts replaced by what this machine has in their place. */
async function writeFiles(cluster: Cluster, replacements: Readonly<Record<string, string>>) {
  const dir = await mkdtemp(join(tmpdir(), 'fanfare-k8s-nginx-'));
  const pod = workloadOf(cluster, 'nginx');
  for (const container of pod.spec.template.spec.containers) {
    for (const [path, { text = '' }] of mountedFiles(cluster, pod, container)) {
      const file = join(dir, path.replace('/etc/nginx/', ''));
      let written = text;
      for (const [from, to] of Object.entries(replacements)) written = written.replaceAll(from, to);
      await mkdir(dirname(file), { recursive: true });
      // Started by root, nginx gives its workers to another user, who may not enter this folder.
      if (path.endsWith('/main.conf') && userInfo().uid === 0) written += 'user root;\n';
      await writeFile(
        file,
        written.replaceAll('/tmp/', `${dir}/`).replaceAll('/dev/stdout', `${dir}/access.log`),
      );
    }
  }
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true }) };
}

/** Looked up once at the start, which only a pod can do. */
const DNS_SERVICE = 'kube-dns.kube-system.svc.cluster.local';

/** Every name that the cluster's DNS has for Services and for the pods of a headless one. */
function dnsNames(cluster: Cluster): string[] {
  const services = cluster.services.map(({ metadata }) => `${metadata.name}.${metadata.namespace}`);
  const pods = cluster.workloads.flatMap((workload) =>
    Array.from({ length: replicasOf(cluster, workload) }, (_, index) => {
      const { metadata, spec } = workload;
      return `${metadata.name}-${index}.${spec.serviceName}.${metadata.namespace}`;
    }),
  );
  return [...services, ...pods].map((name) => `${name}.svc.cluster.local`);
}

const sidOf = (node: string): string => `AbCdEfGhIjKlMnOpQr-__${node}`;

describe.each(OVERLAYS)("the overlay %s's nginx", (overlay) => {
  test('accepts its configuration as it is rendered (C4)', async () => {
    await using files = await writeFiles(await clusterOf(overlay), { [DNS_SERVICE]: '127.0.0.1' });
    await using nginx = await ManagedProcess.start({
      command: await findBinary(NGINX),
      args: ['-t', '-p', files.dir, '-c', join(files.dir, 'nginx.conf')],
    });
    expect({ ...(await nginx.exited), output: nginx.output }).toMatchObject({
      code: 0,
      output: expect.stringContaining('is successful'),
    });
  });

  test('finds every gateway, the api and the board by the names and ports that Kubernetes gives them', async () => {
    const cluster = await clusterOf(overlay);
    const pod = workloadOf(cluster, 'nginx');
    const gateways = workloadOf(cluster, 'gateway');
    const [port, healthPort] = await Promise.all([freePort(), freePort()]);
    await using gateway = await RecordingBackend.start({ name: 'gateway' });
    await using api = await RecordingBackend.start({ name: 'api' });
    await using dns = await DnsServer.start();
    for (const name of dnsNames(cluster)) dns.names.set(name, ['127.0.0.1']);
    await using board = await RecordingBackend.start({ name: 'board' });
    const portOf = (name: string) =>
      cluster.services.find(({ metadata }) => metadata.name === name)?.spec.ports[0]?.port;
    await using files = await writeFiles(cluster, {
      [DNS_SERVICE]: `127.0.0.1:${dns.port}`,
      [`listen ${declaredPort(pod, 'http')} reuseport`]: `listen 127.0.0.1:${port}`,
      [`listen ${declaredPort(pod, 'health')};`]: `listen 127.0.0.1:${healthPort};`,
      // A headless Service leads to the port of the pod itself, the other kind to its own.
      [`:${declaredPort(gateways, 'http')};`]: `:${gateway.port};`,
      [`:${portOf('api')};`]: `:${api.port};`,
      [`:${portOf('board')};`]: `:${board.port};`,
    });
    await using _nginx = await NginxServer.start({ dir: files.dir });
    const ask = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).text();

    expect(await ask('/v1/cluster')).toBe('api');
    expect(await ask('/board/p/1')).toBe(overlay === 'board' ? 'board' : 'gateway');
    expect(await ask('/socket.io/?EIO=4&transport=polling')).toBe('gateway');
    for (let index = 0; index < replicasOf(cluster, gateways); index++) {
      const node = `gateway-${index}`;
      expect(await ask(`/socket.io/?EIO=4&transport=polling&sid=${sidOf(node)}`)).toBe('gateway');
      expect([...dns.asked].some((name) => name.startsWith(`${node}.`))).toBe(true);
    }
    expect(dnsNames(cluster)).toEqual(expect.arrayContaining([...dns.asked]));
    for (const { readinessProbe } of pod.spec.template.spec.containers) {
      expect((await fetch(`http://127.0.0.1:${healthPort}${readinessProbe?.httpGet?.path}`)).status).toBe(
        200,
      );
    }
  });
});
