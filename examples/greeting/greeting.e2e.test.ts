import { eventually } from '@fanfare/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Example, startExample } from '../test/start.ts';

let example: Example;
beforeAll(async () => {
  example = await startExample('greeting');
});
afterAll(() => example[Symbol.asyncDispose]());

it('every node greets who connects, and logs the greeting that comes back (row 4)', async () => {
  for (const [i, url] of example.nodes.entries()) {
    await using client = await example.connect(url);
    expect(await client.hears('greeting-from-server')).toEqual({ greeting: 'Hello Client' });
    client.socket.emit('greeting-from-client', { greeting: `Hello node ${i}` });
    await eventually(() =>
      expect(example.stack.nodes[i]?.process.output).toContain(`{"greeting":"Hello node ${i}"}`),
    );
  }
});

it('a payload reaches the server as it was sent (row 3)', async () => {
  await using client = await example.connect(example.nodes[0]);
  const message = { greeting: 'Grüße 👋', nested: [1, null, { a: true }] };
  client.socket.emit('greeting-from-client', message);
  await eventually(() => expect(example.log()).toContain(JSON.stringify(message)));
});

it('the page and the client library come from the same port as the sockets (rows 1, 2)', async () => {
  for (const [path, content] of [
    ['/', 'page.js'],
    ['/page.js', 'greeting-from-server'],
    ['/socket.io/socket.io.js', 'Socket.IO v4'],
    ['/api/health', '{"status":"ok"}'],
  ] as const) {
    const answer = await fetch(example.stack.url + path);
    expect([path, answer.status]).toEqual([path, 200]);
    expect(await answer.text()).toContain(content);
  }
});

it('nobody is greeted without a token (row 18)', async () => {
  await using client = await example.client(example.nodes[0], { token: 'forged' });
  expect(await client.hears('connect_error')).toMatchObject({ data: { code: 'token_invalid' } });
  expect(client.heard('greeting-from-server')).toEqual([]);
});
