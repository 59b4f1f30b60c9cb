import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { type Stack, startStack } from '@fanfare/local';
import { eventually, nextEvent } from '@fanfare/testing';
import { io } from 'socket.io-client';
import { afterAll, beforeAll, expect, test } from 'vitest';

const HANDLERS = fileURLToPath(new URL('throwing-handlers.js', import.meta.url));
/** Stands in every token and key of this test that is not random by itself. */
const CANARY = 'cAnArY0123456789';
const API_KEY = `key-${CANARY}-of-the-test`;

let stack: Stack;
const lines: string[] = [];
beforeAll(async () => {
  stack = await startStack({
    nodes: 2,
    env: { FANFARE_HANDLERS: HANDLERS, LOG_LEVEL: 'trace' },
    apiEnv: { LOG_LEVEL: 'trace' },
    onLog: ({ process, text: line }) => lines.push(`${process} ${line}`),
  });
});
afterAll(() => stack?.[Symbol.asyncDispose]());

/** Sends bytes as they are and resolves when the other side has closed. */
const sendRaw = async (head: string): Promise<string> => {
  const { hostname, port, host } = new URL(stack.url);
  const socket = connect(Number(port), hostname);
  socket.end(`${head}\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  return text(socket);
};

const open = (token: unknown, changes: object = {}) => {
  const options = { auth: { token }, forceNew: true, reconnection: false, ...changes };
  const socket = io(stack.url, options);
  return Object.assign(socket, { [Symbol.dispose]: () => void socket.disconnect() });
};

test('no token, key or session id reaches a log, at any level and whatever goes wrong', async () => {
  const jti = `id-${CANARY}`;
  const good = await stack.issueToken({ sub: 'alice', info: { jti } });
  const expired = await stack.issueToken({ sub: 'alice', exp: 1_000_000_000 });
  const secrets = [CANARY, good, expired, stack.token, stack.apiKey];

  for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']]) {
    using socket = open(good, { transports });
    await nextEvent(socket, 'connect');
    secrets.push(socket.io.engine.id ?? '');
    socket.emit('throw:now', { secret: CANARY });
    socket.emit('room:join', { room: `not a room ${CANARY}` });
    await socket.timeout(5000).emitWithAck('room:join', { room: CANARY });
  }
  for (const token of [
    expired,
    `${good}x`,
    `${CANARY}.${CANARY}.${CANARY}`,
    CANARY.repeat(300),
    { CANARY },
    7,
  ]) {
    using socket = open(token);
    await nextEvent(socket, 'connect_error');
  }
  using foreign = open(good, { extraHeaders: { origin: `https://${CANARY}.example` } });
  await nextEvent(foreign, 'connect_error');

  const lost = `${CANARY.padEnd(20, 'x')}_n1`;
  const query = `EIO=4&transport=polling&token=${good}&auth=${CANARY}`;
  for (const path of [
    `/socket.io/?${query}`,
    `/socket.io/?${query}&sid=${lost}`,
    `/socket.io/?EIO=3&transport=x&sid=${lost}`,
    `/v1/cluster?key=${API_KEY}`,
    `/?token=${good}`,
  ])
    await (await fetch(stack.url + path)).text();
  await sendRaw(`GET /socket.io/?EIO=4&transport=websocket&sid=${lost} HTTP/1.1\r\nUpgrade: websocket`);
  await sendRaw(`NONSENSE /socket.io/?token=${CANARY} HTTP/9.9`);
  await sendRaw(`POST /socket.io/?EIO=4&transport=polling&sid=${lost} HTTP/1.1\r\nContent-Length: ${CANARY}`);
  for (const key of [API_KEY, stack.apiKey]) {
    for (const body of [
      `{"${CANARY}`,
      JSON.stringify({ room: 'a:1', event: 'a:b', data: { CANARY } }),
      '{}',
    ]) {
      const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
      await (await fetch(`${stack.url}/v1/publish`, { method: 'POST', headers, body })).text();
    }
  }
  // One that is heard of in every log, so that the others have been written before.
  await eventually(() =>
    expect(lines.filter((line) => line.includes('handler failed')).length).toBeGreaterThan(2),
  );
  const dir = stack.nginx.dir;
  const written = [...lines, await readFile(`${dir}/logs/access.log`, 'utf8')].join('\n');
  expect(written).toContain('"path":"/socket.io/"');
  expect(written).toContain('request refused');
  for (const secret of secrets) expect([secret, written.includes(secret)]).toEqual([secret, false]);
});
