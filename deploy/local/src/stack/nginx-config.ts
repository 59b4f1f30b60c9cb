import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NGINX_CONF = fileURLToPath(new URL('../../../../nginx.conf', import.meta.url));
const BOARD_CONF = fileURLToPath(new URL('../../../nginx/compose/board.conf', import.meta.url));

/** What an nginx on this machine puts behind its one public port. */
export interface NginxConfigOptions {
  /** Run directory; made when missing. Configuration, temporary files, pid and access log stay inside it. */
  dir: string;
  /** Address that nginx listens on. */
  host: string;
  /** Public port. */
  port: number;
  /** Gateways on 127.0.0.1; `id` is the node id that ends their session ids. */
  gateways: readonly { id: string; port: number }[];
  /** Port of the api on 127.0.0.1. */
  apiPort: number;
  /** Port of the board on 127.0.0.1, where there is one. */
  boardPort?: number | undefined;
}

/**
 * Writes a run directory for `nginx -e stderr -p DIR -c nginx.conf -g 'daemon off;'`, which needs no privilege.
 * Errors go to stderr, the access log to `logs/access.log` in it.
 */
export async function writeNginxConfig(options: NginxConfigOptions): Promise<void> {
  const { dir, gateways } = options;
  if (gateways.length === 0) throw new Error('nginx needs at least one gateway');
  const includes = join(dir, 'fanfare');
  await Promise.all(
    [includes, join(dir, 'logs'), join(dir, 'temp')].map((d) => mkdir(d, { recursive: true })),
  );
  await Promise.all([
    copyFile(NGINX_CONF, join(dir, 'nginx.conf')),
    writeFile(join(includes, 'main.conf'), mainConf()),
    writeFile(join(includes, 'http.conf'), httpConf(options)),
    writeFile(join(includes, 'gateways.conf'), gatewaysConf(gateways)),
    writeFile(join(includes, 'listen.conf'), listenConf(options)),
    ...(options.boardPort === undefined
      ? []
      : [writeFile(join(includes, 'board.conf'), await boardConf(options.boardPort))]),
  ]);
}

// Started by root, nginx gives its workers to another user, who may not enter a private run directory.
function mainConf(): string {
  const user = userInfo().uid === 0 ? 'user root;\n' : '';
  return `${user}pid nginx.pid;\nworker_processes 2;\n`;
}

function httpConf({ gateways, apiPort }: NginxConfigOptions): string {
  const servers = gateways.map(({ port }) => `    server 127.0.0.1:${port} max_fails=1 fail_timeout=1s;\n`);
  const tempPaths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path temp/${kind};\n`,
  );
  // `zone` lets the workers count connections together; a dead node is asked again after a second.
  return `upstream gateways {
    zone gateways 128k;
    least_conn;
${servers.join('')}}
map "" $api {
    default 127.0.0.1:${apiPort};
}
access_log logs/access.log fanfare;
${tempPaths.join('')}`;
}

function gatewaysConf(gateways: NginxConfigOptions['gateways']): string {
  return `default gateways;\n${gateways.map(({ id, port }) => `${id} 127.0.0.1:${port};\n`).join('')}`;
}

function listenConf({ host, port }: NginxConfigOptions): string {
  return `listen ${isIPv6(host) ? `[${host}]` : host}:${port} backlog=4096;\n`;
}

/** That of compose, with an address that needs no name server. */
async function boardConf(port: number): Promise<string> {
  return (await readFile(BOARD_CONF, 'utf8')).replace('board:3200', `127.0.0.1:${port}`);
}
