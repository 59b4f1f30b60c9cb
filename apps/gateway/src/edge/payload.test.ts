import { roomJoin, roomLeave, roomPublish, roomSignal } from '@fanfare/protocol';
import { nextEvent } from '@fanfare/testing';
import type { Socket } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, signToken, startNode, type TestNode } from '../../test/start-node.ts';

const HANDLERS = new URL('../../test/fixtures/echo.js', import.meta.url).pathname;
const EVENTS = [roomJoin, roomLeave, roomPublish, roomSignal]
  .map(({ name }) => name)
  .concat('echo', 'relay', 'nobody-takes-this');
/** Levels of arrays within one frame of at most 100 KB. */
const DEPTHS = [1, 60, 101, 5000, 49_000];

let node: TestNode;
beforeAll(async () => {
  node = await startNode({ FANFARE_HANDLERS: HANDLERS });
});
afterAll(() => node[Symbol.asyncDispose]());

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

/** Writes a frame of Socket.IO as it stands and returns the first answer that starts like this. */
const write = (socket: Socket, frame: string, answer: string): Promise<string> => {
  const { engine } = socket.io;
  const found = new Promise<string>((resolve) => {
    engine.on('data', (data: unknown) => {
      if (typeof data === 'string' && data.startsWith(answer)) resolve(data);
    });
  });
  engine.write(frame);
  return found;
};

describe('a payload that code would recurse into', () => {
  it.each(EVENTS)('is refused in the event %s however deep it is, and the node lives on', async (event) => {
    const alice = await node.connect('alice');
    for (const depth of DEPTHS) {
      // Nobody answers these when they are well.
      if (depth < 200 && ['relay', 'nobody-takes-this'].includes(event)) continue;
      const answer = await write(alice, `27["${event}",${nested(depth)}]`, '37');
      if (depth > 200) expect(answer).toContain('"code":"invalid_payload"');
    }
    expect(await ask(alice, 'echo', 1)).toEqual({ ok: true, data: 1 });
  });

  it.each([1, 5000, 49_000])('cuts a client that acks with it, %i levels deep', async (depth) => {
    const [alice, bob] = await Promise.all([node.connect('alice'), node.connect('bob')]);
    const question = new Promise<string>((resolve) => {
      alice.io.engine.on('data', (data: unknown) => {
        if (typeof data === 'string' && data.includes('"question"')) resolve(data);
      });
    });
    await ask(alice, 'ask me', {});
    const id = /^2(\d+)/.exec(await question)?.[1];
    const outcome =
      depth > 100 ? nextEvent(alice, 'disconnect') : nextEvent(bob, 'answered').then(([data]) => data);
    alice.io.engine.write(`3${id}[${nested(depth)}]`);
    expect(await outcome).toEqual(depth > 100 ? ['transport close', expect.anything()] : []);
    expect(await ask(bob, 'echo', 1)).toEqual({ ok: true, data: 1 });
  });

  it('cuts a client that asks for a namespace with it', async () => {
    const token = await signToken();
    const client = node.client(token, { auth: { token, deep: JSON.parse(nested(200)) } });
    const [error] = await nextEvent(client, 'connect_error');
    expect(error).toMatchObject({
      message: expect.stringContaining('The auth payload: nested deeper'),
      data: { code: 'invalid_payload', retryable: false },
    });
  });

  it('cuts a client whose frame is larger than the limit', async () => {
    const alice = await node.connect('alice');
    const gone = nextEvent(alice, 'disconnect');
    alice.io.engine.write(`27["echo",${nested(400_000)}]`);
    expect(await gone).toMatchObject(['transport close', { description: expect.anything() }]);
  });

  it('is heard by nobody, not even by listeners for any event', async () => {
    const alice = await node.connect('alice');
    await write(alice, `27["echo",${nested(5000)}]`, '37');
    expect(await ask(alice, 'heard', 1)).toEqual({ ok: true, data: 1 });
  });
});

describe('properties that would reach a prototype', () => {
  it.each(['{"__proto__":{"polluted":1}}', '{"a":[{"constructor":{"prototype":{"polluted":1}}}]}'])(
    '%s is refused in every event',
    async (payload) => {
      const alice = await node.connect('alice');
      for (const event of EVENTS.concat('merge')) {
        const answer = await write(alice, `28["${event}",${payload}]`, '38');
        expect(answer).toContain('"code":"invalid_payload"');
      }
      expect(Reflect.get({}, 'polluted')).toBeUndefined();
    },
  );

  it('may be called "constructor" when nothing can come of it', async () => {
    const alice = await node.connect('alice');
    const data = { constructor: 'Ada Lovelace', toString: 1 };
    expect(await ask(alice, 'echo', data)).toEqual({ ok: true, data });
  });
});
