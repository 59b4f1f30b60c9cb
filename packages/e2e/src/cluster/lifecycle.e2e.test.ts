import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { startStack } from '@fanfare/local';
import { eventually, freePort, isPortFree } from '@fanfare/testing';
import { describe, expect, test } from 'vitest';
import { openFrozenClient } from '../clients/frozen-client.ts';
import { openClient } from '../clients/stock-client.ts';
import { READY, REDIS_AWAY, readinessOf, runApp } from './app-process.ts';
import { readCluster } from './http-api.ts';
import { scrape } from './metrics.ts';
import { descendantsOf, isAlive } from './processes.ts';

/** Settings of an api whose Redis is away. */
const apiEnv = async () => ({ REDIS_URL: `redis://127.0.0.1:${await freePort()}` });

const BAD = {
  gateway: {
    env: {
      FANFARE_NODE_ID: 'Not_A_Node',
      FANFARE_PORT: '70000',
      FANFARE_TOKEN_SECRET: 'short',
      FANFARE_NAMESPACES: 'chat',
      FANFARE_CORS_ORIGINS: '*',
      FANFARE_CORS_CREDENTIALS: 'true',
      FANFARE_WORKERS: '2',
    },
    wrong: [
      'FANFARE_NODE_ID',
      'FANFARE_PORT',
      'FANFARE_TOKEN_SECRET',
      'FANFARE_NAMESPACES',
      'FANFARE_CORS_ORIGINS',
    ],
  },
  api: {
    env: { FANFARE_PORT: 'x', FANFARE_API_KEYS: 'billing:short', FANFARE_SHUTDOWN_MS: '5' },
    wrong: ['FANFARE_PORT', 'FANFARE_API_KEYS', 'FANFARE_SHUTDOWN_MS', 'REDIS_URL'],
  },
} as const;

describe.each(['gateway', 'api'] as const)('the %s', (app) => {
  test('ends with 78 and one message that has every problem of its configuration', async () => {
    const { env, wrong } = BAD[app];
    await using started = await runApp(app, env);
    expect(await started.process.exited).toEqual({ code: 78, signal: null });
    const [head, ...problems] = started.stderr;
    expect(head).toBe(`The configuration has ${wrong.length} problems:`);
    expect(problems.map((line) => /^ {2}- ([A-Z_]+)/.exec(line)?.[1])).toEqual(wrong);
    expect(started.log()).toEqual([]);
  });

  test('warns of a setting that it does not have, and names the one that was meant', async () => {
    await using started = await runApp(app, { ...(await apiEnv()), FANFARE_OPS_PROT: '1' });
    await started.listening();
    const warning = 'FANFARE_OPS_PROT is not a setting of this process: did you mean FANFARE_OPS_PORT?';
    expect(started.log()).toContainEqual(
      expect.objectContaining({ level: 'warn', msg: 'unknown setting', warning }),
    );
  });

  test.each(['FANFARE_PORT', 'FANFARE_OPS_PORT'])(
    'ends with 1 and one sentence when %s is taken',
    async (setting) => {
      await using server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      const address = server.address();
      const port = typeof address === 'object' ? address?.port : 0;
      await using started = await runApp(app, { ...(await apiEnv()), [setting]: String(port) });
      expect(await started.process.exited).toEqual({ code: 1, signal: null });
      expect(started.stderr).toEqual([
        `Port ${port} on 127.0.0.1 is taken: stop what uses it or set ${setting} to another one.`,
      ]);
    },
  );

  test('lives but is not ready while its Redis is away, and says why', async () => {
    await using started = await runApp(app, await apiEnv());
    const { opsUrl } = await started.listening();
    expect((await fetch(`${opsUrl}/livez`)).status).toBe(200);
    expect(await readinessOf(opsUrl)).toEqual(REDIS_AWAY);
    const names = new Set((await scrape(opsUrl)).map(({ name }) => name));
    expect([...names]).toEqual(
      expect.arrayContaining(['process_resident_memory_bytes', 'nodejs_eventloop_lag_p99_seconds']),
    );
  });
});

test('a node of several workers that cannot have its port leaves none of them behind (C3)', async () => {
  await using server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  await using node = await runApp('gateway', { FANFARE_WORKERS: '2', FANFARE_PORT: String(port) });
  await node.process.waitForLine((line) => line.includes('"worker up"'));
  const workers = await descendantsOf(node.process.pid);
  expect(await node.process.exited).toEqual({ code: 1, signal: null });
  expect(node.stderr).toHaveLength(1);
  expect(workers.filter(isAlive)).toEqual([]);
});

/** A request whose second half is still to come; the server has seen the first. */
const sendHalf = async (port: number) => {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8');
  let answer = '';
  socket.on('data', (text) => {
    answer += text;
  });
  const closed = once(socket, 'close');
  socket.write(
    'POST /nothing HTTP/1.1\r\nHost: n1\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n',
  );
  await eventually(() => expect(answer).toBe('HTTP/1.1 100 Continue\r\n\r\n'));
  socket.write('half ');
  return {
    finish: async () => {
      socket.write('whole');
      await closed;
      return answer;
    },
    [Symbol.asyncDispose]: async () => {
      socket.destroy();
    },
  };
};

test('a gateway that gets SIGTERM is not ready, takes no more, finishes what is under way and ends with 0', async () => {
  await using gateway = await runApp('gateway');
  const { port, opsUrl } = await gateway.listening();
  expect(await readinessOf(opsUrl)).toEqual(READY);
  await using request = await sendHalf(port);
  gateway.process.kill('SIGTERM');
  await eventually(async () =>
    expect(await readinessOf(opsUrl)).toEqual({ status: 503, reasons: ['draining'] }),
  );
  await eventually(async () => expect(await isPortFree(port)).toBe(true));
  expect((await fetch(`${opsUrl}/livez`)).status).toBe(200);
  expect(await request.finish()).toContain('HTTP/1.1 404');
  expect(await gateway.process.exited).toEqual({ code: 0, signal: null });
});

test('neither a frozen client nor half a request keeps a gateway from ending with 0 (C1)', async () => {
  await using stack = await startStack({ nodes: 2 });
  const [first, second] = stack.nodes;
  await using _frozen = await openFrozenClient(first?.url ?? '', stack.token);
  await using _request = await sendHalf(first?.port ?? 0);
  await using awake = await openClient(stack.url, { token: stack.token });
  first?.process.kill('SIGTERM');
  expect(await first?.process.exited).toEqual({ code: 0, signal: null });
  await eventually(() => expect(awake.node).toBe(second?.id));
  const { nodes } = await readCluster(stack);
  expect(nodes.map(({ node }) => node)).toEqual(['n2']);
});
