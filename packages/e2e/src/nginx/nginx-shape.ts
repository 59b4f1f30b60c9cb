import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { writeNginxConfig } from '@fanfare/local';
import { findBinary, freePort, ManagedProcess, NGINX, NginxServer } from '@fanfare/testing';
import { DnsServer } from './dns-server.ts';
import { RecordingBackend } from './recording-backend.ts';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const DOMAIN = 'default.svc.cluster.local';

/** The three ways in which the repository's nginx.conf is deployed. */
export type Shape = 'local' | 'compose' | 'kubernetes';
export const SHAPES: readonly Shape[] = ['local', 'compose', 'kubernetes'];
export const RESOLVED_SHAPES: readonly Shape[] = ['compose', 'kubernetes'];

const NODE_IDS: Readonly<Record<Shape, readonly [string, string, string]>> = {
  local: ['n1', 'n2', 'n3'],
  compose: ['0a1b2c3d4e5f', '123456789012', 'abcdefabcdef'],
  kubernetes: ['gateway-0', 'gateway-1', 'gateway-12'],
};

/** A real nginx in front of backends, and where it is asked. */
export interface RunningShape extends AsyncDisposable {
  url: string;
  nodes: RecordingBackend[];
  api: RecordingBackend;
  /** Answers where a name that is no gateway's leads to: must never be asked anything. */
  decoy: RecordingBackend;
  nginx: NginxServer;
  /** Names that nginx resolved; none in the local shape. */
  namesAsked: () => string[];
  /** Starts a fourth node and tells only the DNS. */
  addNode: (id: string) => Promise<RecordingBackend>;
  accessLog: () => Promise<string>;
}

/** Any sid that belongs to a session of `node`. */
export const sidOf = (node: string): string => `AbCdEfGhIjKlMnOpQr-__${node}`;

/** Starts a shape; `handshakes` stands for the limit of new sessions of an address that is shipped. */
export async function startShape(
  shape: Shape,
  handshakes?: { perSecond: number; burst: number },
): Promise<RunningShape> {
  await using stack = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'fanfare-nginx-'));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  const [port, gatewayPort] = await Promise.all([freePort(), freePort()]);
  const start = async (name: string, host: string) =>
    stack.use(await RecordingBackend.start({ name, host, ...(shape !== 'local' && { port: gatewayPort }) }));

  const api = stack.use(await RecordingBackend.start({ name: 'api' }));
  const decoy = await start('decoy', '127.0.0.1');
  const nodes = await Promise.all(NODE_IDS[shape].map((id, index) => start(id, addressOf(shape, index))));
  const dns = stack.use(await DnsServer.start());
  const tellDns = () => {
    for (const name of ['redis', 'localhost', 'evil', `redis.${DOMAIN}`]) dns.names.set(name, ['127.0.0.1']);
    dns.names.set(shape === 'compose' ? 'api' : `api.${DOMAIN}`, ['127.0.0.1']);
    dns.names.set(
      poolName(shape),
      nodes.map((_node, index) => addressOf(shape, index)),
    );
    for (const [index, { name }] of nodes.entries()) {
      dns.names.set(shape === 'compose' ? name : `${name}.${poolName(shape)}`, [addressOf(shape, index)]);
    }
  };
  tellDns();

  if (shape === 'local') {
    const gateways = nodes.map((node) => ({ id: node.name, port: node.port }));
    await writeNginxConfig({ dir, host: '127.0.0.1', port, gateways, apiPort: api.port });
  } else {
    await writeShippedConfig({
      shape,
      dir,
      port,
      gatewayPort,
      apiPort: api.port,
      dnsPort: dns.port,
      handshakes,
    });
  }
  const nginx = stack.use(await NginxServer.start({ dir }));
  const owned = stack.move();
  return {
    url: `http://127.0.0.1:${port}`,
    nodes,
    api,
    decoy,
    nginx,
    namesAsked: () => [...dns.asked],
    addNode: async (id) => {
      const node = owned.use(
        await RecordingBackend.start({ name: id, host: addressOf(shape, nodes.length), port: gatewayPort }),
      );
      nodes.push(node);
      tellDns();
      return node;
    },
    accessLog: () => readFile(join(dir, 'logs/access.log'), 'utf8'),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** What `nginx -t` says of a shape's files as they are shipped; only names and paths of the machine differ. */
export async function checkShape(shape: Shape): Promise<{ code: number | null; output: string }> {
  const dir = await mkdtemp(join(tmpdir(), 'fanfare-nginx-'));
  try {
    if (shape === 'local') {
      const gateways = [{ id: 'n1', port: 1 }];
      await writeNginxConfig({ dir, host: '::1', port: await freePort(), gateways, apiPort: 2 });
    } else {
      await writeShippedConfig({
        shape,
        dir,
        port: await freePort(),
        gatewayPort: 3000,
        apiPort: 3100,
        dnsPort: 53,
      });
    }
    const args = ['-t', '-p', dir, '-c', join(dir, 'nginx.conf')];
    await using nginx = await ManagedProcess.start({ command: await findBinary(NGINX), args });
    const { code } = await nginx.exited;
    return { code, output: nginx.output };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

// Linux answers on all of 127/8, so nodes can differ by address alone, as containers and pods do.
const addressOf = (shape: Shape, index: number): string =>
  shape === 'local' ? '127.0.0.1' : `127.0.0.${index + 2}`;

const poolName = (shape: Shape): string => (shape === 'compose' ? 'gateway' : `gateway-nodes.${DOMAIN}`);

interface ShippedConfig {
  shape: Shape;
  dir: string;
  port: number;
  gatewayPort: number;
  apiPort: number;
  dnsPort: number;
  handshakes?: { perSecond: number; burst: number } | undefined;
}

/** The include set of the repository with this machine's ports, paths and DNS, and a shorter DNS memory. */
async function writeShippedConfig(options: ShippedConfig): Promise<void> {
  const { shape, dir, port, gatewayPort, apiPort, dnsPort, handshakes } = options;
  const includes = join(dir, 'fanfare');
  await mkdir(join(dir, 'logs'));
  await cp(join(ROOT, 'nginx.conf'), join(dir, 'nginx.conf'));
  await cp(join(ROOT, 'deploy/nginx', shape), includes, { recursive: true });
  const privatePort = await freePort();
  for (const file of await readdir(includes)) {
    const path = join(includes, file);
    const text = await readFile(path, 'utf8');
    const local = text
      .replace(/^resolver \S+ valid=\d+s/m, `resolver 127.0.0.1:${dnsPort} valid=1s`)
      .replace('listen 8080 reuseport', `listen 127.0.0.1:${port}`)
      .replace(/listen (127\.0\.0\.1:)?8081/, `listen 127.0.0.1:${privatePort}`)
      .replaceAll(':3000;', `:${gatewayPort};`)
      .replaceAll(':3100;', `:${apiPort};`)
      .replaceAll('/tmp/', `${dir}/`)
      .replace('/dev/stdout', 'logs/access.log');
    const limited =
      handshakes === undefined
        ? local
        : local
            .replace(/rate=\d+r/, `rate=${handshakes.perSecond}r`)
            .replace(/burst=\d+/, `burst=${handshakes.burst}`);
    await writeFile(path, limited);
  }
}

export const NEW_SESSION = '/socket.io/?EIO=4&transport=polling';
export const pollOf = (sid: string) => `${NEW_SESSION}&sid=${sid}`;

/** The paths go out as they are: `fetch` would clean hostile ones up. */
export async function ask(
  shape: RunningShape,
  path: string,
  options: { method?: string; headers?: IncomingHttpHeaders; body?: string } = {},
): Promise<{ status: number | undefined; body: string; headers: IncomingHttpHeaders }> {
  const { method = 'GET', headers = {} } = options;
  const sent = request(shape.url, { path, method, headers }).end(options.body);
  const [response]: [IncomingMessage] = (await once(sent, 'response')) as [IncomingMessage];
  return { status: response.statusCode, body: await text(response), headers: response.headers };
}

export const namesOf = (shape: RunningShape) => shape.nodes.map((node) => node.name);
