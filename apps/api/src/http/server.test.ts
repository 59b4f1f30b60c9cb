import { once } from 'node:events';
import { Agent, request, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createDrainingServer } from './server.ts';

const LONG_MS = 60_000;

describe('the draining server', () => {
  it('answers what is under way and refuses what comes later', async () => {
    const asked = Promise.withResolvers<void>();
    const mayAnswer = Promise.withResolvers<void>();
    await using server = createDrainingServer(async (_req, res) => {
      asked.resolve();
      await mayAnswer.promise;
      res.end('done');
    });
    const port = await listen(server.http);
    // A kept-alive connection would stay open for seconds after its answer.
    const agent = new Agent({ keepAlive: true });
    const answered = once(request({ port, host: '127.0.0.1', agent }).end(), 'response');
    await asked.promise;

    const drained = server.drain(LONG_MS);
    await expect(fetch(`http://127.0.0.1:${port}`)).rejects.toThrow();
    mayAnswer.resolve();

    const [response] = await answered;
    expect(response.headers.connection).toBe('close');
    expect(String((await response.toArray())[0])).toBe('done');
    await drained;
  });

  it('ends a connection that asks for nothing', async () => {
    await using server = createDrainingServer((_req, res) => res.end());
    const port = await listen(server.http);
    const idle = connect(port, '127.0.0.1').resume();
    await once(server.http, 'connection');
    const closed = once(idle, 'close');
    await server.drain(LONG_MS);
    await closed;
  });

  it('cuts a request that never becomes whole', async () => {
    await using server = createDrainingServer((req, res) => {
      req.resume().on('end', () => res.end());
    });
    const port = await listen(server.http);
    const stuck = connect(port, '127.0.0.1').resume();
    stuck.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf');
    await once(server.http, 'request');
    const closed = once(stuck, 'close');
    await server.drain(1);
    await closed;
  });
});

const listen = async (server: Server): Promise<number> => {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address: AddressInfo | string | null = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
};
