import { MessageChannel } from 'node:worker_threads';
import { eventually } from '@fanfare/testing';
import { afterAll, describe, expect, it } from 'vitest';
import { presenceContract } from '../../test/presence-contract.ts';
import { PrimaryPresence } from './primary-presence.ts';
import { openWorkerPresence } from './worker-presence.ts';

const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());

const primary = new PrimaryPresence({ lostMs: 500 });

/** A worker, over a channel that copies messages and takes its time as the one between processes does. */
const open = () => {
  const { port1: ofPrimary, port2: ofWorker } = new MessageChannel();
  stack.defer(() => ofPrimary.close());
  const worker = primary.admit((message) => ofPrimary.postMessage(message));
  ofPrimary.on('message', worker.receive);
  const port = {
    send: (message: unknown) => ofWorker.postMessage(message),
    onMessage: (listener: (message: unknown) => void) => void ofWorker.on('message', listener),
  };
  return Object.assign(openWorkerPresence(port, { graceMs: 100 }), { worker });
};

describe('presence that the primary keeps for its workers', () => {
  presenceContract(open);

  it('takes nobody off whom a dead worker held and another one holds by then', async () => {
    const [dying, other] = [open(), open()];
    const place = { namespace: '/', room: 'dying:1' };
    const left: string[] = [];
    await other.listen(place, (change) => left.push(...(change.left ?? [])));
    for (const user of ['a', 'b']) dying.hold(place, { user });
    await eventually(async () => expect((await other.read(place, { limit: 0 })).count).toBe(2));
    dying.worker.ended();
    other.hold(place, { user: 'a' });
    await eventually(() => expect(left).toEqual(['b']));
    expect((await other.read(place, { limit: 10 })).members).toEqual([{ user: 'a' }]);
  });

  it('answers nobody who has ended, and keeps nothing from them', async () => {
    const ended = open();
    const reading = ended.read({ namespace: '/', room: 'ended:1' }, { limit: 1 });
    await ended[Symbol.asyncDispose]();
    await expect(reading).rejects.toMatchObject({ code: 'unavailable' });
    await expect(ended.read({ namespace: '/', room: 'ended:1' }, { limit: 1 })).rejects.toMatchObject({
      code: 'unavailable',
    });
  });
});
