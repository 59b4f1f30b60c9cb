import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { ManagedProcess } from '@fanfare/testing';
import { expect, it } from 'vitest';
import { WebSocketClient } from './test/raw-client.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

it('the snippet of the README runs', async () => {
  const readme = await readFile(`${ROOT}README.md`, 'utf8');
  const snippet = /```ts\n([\s\S]+?)```/.exec(readme)?.[1] ?? '';
  expect(snippet).toContain('3000');
  const code = `${snippet.replace('3000', '0')}
    io.httpServer.on('listening', () => process.stdout.write('port ' + io.httpServer.address().port + '\\n'));`;
  await using server = await ManagedProcess.start({
    command: process.execPath,
    args: ['--conditions=source', '--input-type=module-typescript', '--eval', code],
    cwd: ROOT,
  });
  const line = await server.waitForLine((written) => written.startsWith('port '));
  const hasTicked = Promise.withResolvers<string>();
  const client = await WebSocketClient.connect({
    port: Number(line.slice('port '.length)),
    name: 'a',
    onPacket: (packet) => String(packet).startsWith('42') && hasTicked.resolve(String(packet)),
  });
  client.send('40');
  expect(await hasTicked.promise).toMatch(/^42\["tick",\d+\]$/);
  client.close();
});
