import { once } from 'node:events';
import { createServer } from 'node:http';
import { describe, expect, it } from 'vitest';
import { createRegistry, metricsText } from './metrics.ts';
import { createOpsServer, listenOn } from './ops-server.ts';
import { StartError } from './run-service.ts';

const HOST = '127.0.0.1';
const nothing = async () => ({ contentType: 'text/plain', text: '' });

const startOps = async (options: Partial<Parameters<typeof createOpsServer>[0]> = {}) => {
  const ops = createOpsServer({ host: HOST, port: 0, notReady: () => [], metrics: nothing, ...options });
  const port = await ops.listen();
  return { port, url: `http://${HOST}:${port}`, [Symbol.asyncDispose]: () => ops[Symbol.asyncDispose]() };
};

describe('the ops port', () => {
  it('says that the process lives, whether it is ready or not', async () => {
    await using ops = await startOps({ notReady: () => ['redis is away'] });
    const answer = await fetch(`${ops.url}/livez`);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({ alive: true });
  });

  it('says whether the process is ready at this moment, and why not', async () => {
    const reasons: string[] = ['redis is away', 'draining'];
    await using ops = await startOps({ notReady: () => reasons });
    const unready = await fetch(`${ops.url}/readyz?verbose`);
    expect(unready.status).toBe(503);
    expect(unready.headers.get('cache-control')).toBe('no-store');
    expect(await unready.json()).toEqual({ ready: false, reasons: ['redis is away', 'draining'] });
    reasons.length = 0;
    const ready = await fetch(`${ops.url}/readyz`);
    expect(ready.status).toBe(200);
    expect(await ready.json()).toEqual({ ready: true, reasons: [] });
  });

  it('is ready all the same while something does not work that no request needs, and says what', async () => {
    await using ops = await startOps({ warnings: () => ['outbox: no database'] });
    const answer = await fetch(`${ops.url}/readyz`);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({ ready: true, reasons: [], warnings: ['outbox: no database'] });
  });

  it('serves the metrics of the process with its labels', async () => {
    const registry = createRegistry({ node: 'n1' });
    await using ops = await startOps({ metrics: () => metricsText(registry) });
    const answer = await fetch(`${ops.url}/metrics`);
    expect(answer.headers.get('content-type')).toBe(registry.contentType);
    expect(await answer.text()).toMatch(/^nodejs_eventloop_lag_p99_seconds\{node="n1"\} /m);
  });

  it('answers 500 when the metrics cannot be gathered, and goes on', async () => {
    await using ops = await startOps({ metrics: () => Promise.reject(new Error('a worker did not answer')) });
    const answer = await fetch(`${ops.url}/metrics`);
    expect(answer.status).toBe(500);
    expect(await answer.text()).toContain('a worker did not answer');
    expect((await fetch(`${ops.url}/livez`)).status).toBe(200);
  });

  it('lists its routes at any other address', async () => {
    await using ops = await startOps();
    const answer = await fetch(`${ops.url}/health`);
    expect(answer.status).toBe(404);
    expect(await answer.json()).toEqual({ routes: ['/livez', '/readyz', '/metrics', '/drain'] });
  });

  it('drains at a POST and at nothing else', async () => {
    await using ops = await startOps();
    expect((await fetch(`${ops.url}/drain`)).status).toBe(405);
  });

  it('is closed with connections that are still open, and before it was opened', async () => {
    const ops = await startOps({ metrics: () => new Promise(() => {}) });
    const hanging = fetch(`${ops.url}/metrics`);
    hanging.catch(() => undefined);
    await (await fetch(`${ops.url}/livez`)).text();
    await ops[Symbol.asyncDispose]();
    await expect(hanging).rejects.toThrow();
    await createOpsServer({ host: HOST, port: 0, notReady: () => [], metrics: nothing })[
      Symbol.asyncDispose
    ]();
  });
});

describe('a port that cannot be had', () => {
  it('is one sentence that names the setting', async () => {
    await using taken = createServer().listen(0, HOST);
    await once(taken, 'listening');
    const address = taken.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const failed = startOps({ port });
    await expect(failed).rejects.toThrow(StartError);
    await expect(failed).rejects.toThrow(
      `Port ${port} on ${HOST} is taken: stop what uses it or set FANFARE_OPS_PORT to another one.`,
    );
  });

  it('may also have an address that is not of this machine', async () => {
    const where = { host: '192.0.2.1', port: 0, setting: 'FANFARE_PORT' };
    await expect(listenOn(createServer(), where)).rejects.toThrow(
      'Cannot listen on 192.0.2.1:0 (EADDRNOTAVAIL): check FANFARE_PORT and the host.',
    );
  });

  it('may need more rights', () => {
    const cause = Object.assign(new Error('listen EACCES'), { code: 'EACCES' });
    const error = StartError.fromListen(cause, { host: HOST, port: 80, setting: 'FANFARE_PORT' });
    expect(error.message).toBe('Port 80 needs more rights: set FANFARE_PORT to one above 1023.');
  });
});
