import { nextEvent } from '@fanfare/testing';
import { Socket } from 'socket.io';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, startNode, type TestNode } from '../../test/start-node.ts';

const HANDLERS = new URL('../../test/fixtures/middleware.js', import.meta.url).pathname;
const namespaces = { FANFARE_NAMESPACES: '/,/chat' };

let plain: TestNode;
let team: TestNode;
beforeAll(async () => {
  plain = await startNode(namespaces);
  team = await startNode({ ...namespaces, FANFARE_HANDLERS: HANDLERS });
});
afterAll(() => Promise.all([plain[Symbol.asyncDispose](), team[Symbol.asyncDispose]()]));

describe('an event of a client', () => {
  it.each(['nobody-takes-this', '1', 'toString', '__proto__'])(
    'with the name %s, which nobody takes, is refused',
    async (event) => {
      for (const node of [plain, team]) {
        const alice = await node.connect('alice');
        expect(await ask(alice, event, {})).toMatchObject({ ok: false, error: { code: 'unknown_event' } });
      }
    },
  );

  it('with a number for a name, which the parser of socket.io lets pass, is refused', async () => {
    const alice = await plain.connect('alice');
    const { engine } = alice.io;
    const answer = new Promise((resolve) => engine.once('data', resolve));
    engine.write('27[1,{}]');
    expect(await answer).toContain('37[{"ok":false,"error":{"code":"unknown_event"');
  });

  it('of the contract passes the middleware of a team first', async () => {
    const alice = await team.connect('alice');
    expect(await ask(alice, 'room:join', { room: 'project:closed' })).toEqual({ refused: true });
    expect(await ask(alice, 'room:join', { room: 'project:1' })).toMatchObject({ ok: true });
  });

  it('of the contract is heard by listeners of a team too', async () => {
    const alice = await team.connect('alice');
    const told = nextEvent(alice, 'told');
    await ask(alice, 'room:join', { room: 'project:1' });
    expect(await told).toEqual(['project:1']);
  });

  it('has its socket for `this` in a listener, as in stock', async () => {
    const alice = await team.connect('alice');
    expect(await ask(alice, 'this', {})).toEqual({ ok: true, data: true });
  });

  it('of the contract is counted as answered, whether it is refused or not', async () => {
    await using node = await startNode();
    const alice = await node.connect('alice');
    await ask(alice, 'room:leave', { room: 'project:1' });
    const tooDeep = JSON.parse(`${'['.repeat(200)}${']'.repeat(200)}`);
    for (const payload of [{}, tooDeep])
      expect(await ask(alice, 'room:leave', payload)).toMatchObject({ error: { code: 'invalid_payload' } });
    alice.emit('room:leave', {});
    await ask(alice, 'room:leave', { room: 'project:1' });
    const metrics = await (await fetch(`${node.opsUrl}/metrics`)).text();
    expect(metrics).toMatch(/^socket_io_events_sent_total\S* 4$/m);
  });

  it('goes to the handlers of its own namespace', async () => {
    const [here, there] = await Promise.all([
      plain.connect('alice'),
      plain.connect('bob', { namespace: '/chat' }),
    ]);
    for (const socket of [here, there]) await ask(socket, 'room:join', { room: 'project:1' });
    const heard = nextEvent(there, 'task:created');
    await ask(here, 'room:publish', { room: 'project:1', event: 'task:created', data: 'in /' });
    await ask(there, 'room:publish', { room: 'project:1', event: 'task:created', data: 'in /chat' });
    expect((await heard)[0]).toBe('in /chat');
  });
});

it('socket.io 4.8.4 takes every packet through Socket#_onpacket, every event through Socket#run', () => {
  expect(Reflect.get(Socket.prototype, 'run')).toHaveLength(2);
  expect(Reflect.get(Socket.prototype, '_onpacket')).toHaveLength(1);
  expect(Reflect.get(Socket.prototype, 'ack')).toHaveLength(1);
  expect(String(Reflect.get(Socket.prototype, 'dispatch'))).toContain('this.run(event');
});
