import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeNginxConfig } from '@fanfare/local';
import { freePort, ManagedProcess, NginxServer } from '@fanfare/testing';
import { expect, test } from 'vitest';
import { z } from 'zod';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const listening = z.object({ msg: z.literal('listening'), port: z.number(), opsPort: z.number() });

test('with Redis gone and every node unready, nginx still gives new clients to the living ones', async () => {
  await using stack = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'fanfare-nginx-'));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  const redisUrl = `redis://127.0.0.1:${await freePort()}`;
  const nodes = await Promise.all(['n1', 'n2', 'n3'].map((id) => startGateway(stack, id, redisUrl)));
  const port = await freePort();
  await writeNginxConfig({ dir, host: '127.0.0.1', port, gateways: nodes, apiPort: await freePort() });
  stack.use(await NginxServer.start({ dir }));
  for (const node of nodes) {
    const { status } = await fetch(`http://127.0.0.1:${node.opsPort}/readyz`);
    expect({ id: node.id, status }).toEqual({ id: node.id, status: 503 });
  }
  await nodes[0]?.process.stop('SIGKILL');

  const polling = `http://127.0.0.1:${port}/socket.io/?EIO=4&transport=polling`;
  const served = new Set<string>();
  for (let i = 0; i < 20; i++) {
    const handshake = await fetch(polling);
    const { sid } = z.object({ sid: z.string() }).parse(JSON.parse((await handshake.text()).slice(1)));
    served.add(sid.slice(21));
    const packet = await fetch(`${polling}&sid=${sid}`, { method: 'POST', body: '40' });
    expect({ status: packet.status, body: await packet.text() }).toEqual({ status: 200, body: 'ok' });
  }
  expect([...served].sort()).toEqual(['n2', 'n3']);

  const stranger = await fetch(`${polling}&sid=AbCdEfGhIjKlMnOpQr-__redis`);
  expect({ status: stranger.status, body: await stranger.json() }).toEqual({
    status: 400,
    body: { code: 1, message: 'Session ID unknown' },
  });
});

async function startGateway(stack: AsyncDisposableStack, id: string, redisUrl: string) {
  const process = stack.use(
    await ManagedProcess.start({
      name: `gateway ${id}`,
      command: join(ROOT, 'node_modules/.bin/node'),
      args: ['--conditions=source', join(ROOT, 'apps/gateway/src/main.ts')],
      env: {
        FANFARE_NODE_ID: id,
        FANFARE_HOST: '127.0.0.1',
        FANFARE_PORT: '0',
        FANFARE_OPS_HOST: '127.0.0.1',
        FANFARE_OPS_PORT: '0',
        FANFARE_TOKEN_SECRET: 'a-secret-of-the-tests-long-enough-for-HS256',
        REDIS_URL: redisUrl,
      },
    }),
  );
  const line = await process.waitForLine((text) => text.includes('"msg":"listening"'), { timeoutMs: 30_000 });
  const { port, opsPort } = listening.parse(JSON.parse(line));
  return { id, port, opsPort, process };
}
