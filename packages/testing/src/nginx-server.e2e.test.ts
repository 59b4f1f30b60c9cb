import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { NginxServer } from './nginx-server.ts';
import { freePort, isPortFree } from './process/ports.ts';

const configuration = (port: number) => `
  pid nginx.pid;
  error_log stderr;
  events {}
  http {
    access_log off;
    client_body_temp_path temp; proxy_temp_path temp; fastcgi_temp_path temp;
    uwsgi_temp_path temp; scgi_temp_path temp;
    server { listen 127.0.0.1:${port}; return 200 "here"; }
  }
`;

const folderWith = async (nginxConf: string) => {
  const dir = await mkdtemp(join(tmpdir(), 'fanfare-nginx-'));
  await writeFile(join(dir, 'nginx.conf'), nginxConf);
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true }) };
};

test('it serves as soon as it is started and frees its port when it stops', async () => {
  const port = await freePort();
  await using folder = await folderWith(configuration(port));
  {
    await using nginx = await NginxServer.start(folder);
    expect(nginx.process.isRunning).toBe(true);
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('here');
  }
  expect(await isPortFree(port)).toBe(true);
});

test('it comes back on the same port after it was ended', async () => {
  const port = await freePort();
  await using folder = await folderWith(configuration(port));
  const pids: number[] = [];
  await using nginx = await NginxServer.start({ ...folder, onStart: ({ pid }) => pids.push(pid) });
  nginx.kill();
  await nginx.process.exited;
  expect(await isPortFree(port)).toBe(true);
  await nginx.restart();
  expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);
  expect(pids).toHaveLength(2);
  expect(nginx.pid).toBe(pids[1]);
});

test('a configuration that stays in the foreground by itself is served too', async () => {
  const port = await freePort();
  await using folder = await folderWith(`daemon off;${configuration(port)}`);
  await using _nginx = await NginxServer.start(folder);
  expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);
});

test('a wrong configuration fails with what nginx says of it', async () => {
  await using folder = await folderWith('pid nginx.pid; events {} nonsense;');
  await expect(NginxServer.start(folder)).rejects.toThrow(/unknown directive "nonsense"/);
});

test('a taken port is a failure', async () => {
  const port = await freePort();
  await using first = await folderWith(configuration(port));
  await using second = await folderWith(configuration(port));
  await using _nginx = await NginxServer.start(first);
  await expect(NginxServer.start(second)).rejects.toThrow(/Address already in use/);
});
