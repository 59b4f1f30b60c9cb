import { eventually, nextEvent } from '@fanfare/testing';
import type { Socket } from 'socket.io-client';
import { expect, it } from 'vitest';
import { ask, startPair } from '../../test/start-node.ts';

const ROOM = 'board:1';
const LARGE = 'x'.repeat(20_000);

const conflated = async (opsUrl: string): Promise<number> => {
  const metrics = await (await fetch(`${opsUrl}/metrics`)).text();
  return Number(/^fanfare_slow_conflated_total\S* (\d+)$/m.exec(metrics)?.[1]);
};

/** Stops or goes on reading what the socket is sent. */
const read = (socket: Socket, name: 'pause' | 'resume'): void => {
  const webSocket: unknown = Reflect.get(socket.io.engine.transport, 'ws');
  const method: unknown = Reflect.get(Object(webSocket), name);
  if (typeof method === 'function') method.call(webSocket);
};

it('of signals with a key only the newest waits for a member on another node, and who keeps up hears each', async () => {
  await using pair = await startPair();
  const { a: here, b: there } = pair;
  const alice = await here.connect('alice');
  const [slow, quick] = [await there.connect('slow'), await there.connect('quick')];
  const heard = { slow: [] as number[], quick: [] as number[] };
  slow.on('cursor:moved', ({ x }) => heard.slow.push(x));
  quick.on('cursor:moved', ({ x }) => heard.quick.push(x));
  for (const socket of [alice, slow, quick])
    expect(await ask(socket, 'room:join', { room: ROOM })).toMatchObject({ ok: true });
  read(slow, 'pause');

  let last = 0;
  while ((await conflated(there.opsUrl)) < 100) {
    for (let n = 0; n < 50; n += 1) {
      last += 1;
      const signal = { room: ROOM, event: 'cursor:moved', data: { x: last, LARGE }, conflate: 'alice' };
      alice.emit('room:signal', signal);
    }
    await eventually(() => expect(heard.quick).toHaveLength(last));
  }
  const end = nextEvent(slow, 'board:closed');
  await ask(alice, 'room:signal', { room: ROOM, event: 'board:closed', data: null });
  read(slow, 'resume');
  await end;

  expect(heard.quick).toEqual(Array.from({ length: last }, (_, n) => n + 1));
  expect(heard.slow.at(-1)).toBe(last);
  expect(heard.slow.length).toBeLessThanOrEqual(last - 100);
  expect(heard.slow).toEqual(heard.slow.toSorted((a, b) => a - b));
}, 30_000);
