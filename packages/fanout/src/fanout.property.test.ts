import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { Outbox } from './connection/outbox.ts';
import { Sequence } from './frames/sequence.ts';
import { type Program, programs } from './test/program.ts';
import { Stage } from './test/stage.ts';
import { WORLDS } from './test/worlds.ts';

// biome-ignore lint/style/noProcessEnv: `npm run test:long` asks for more programs this way.
const RUNS = Number(process.env.FANOUT_RUNS ?? 2_000);
const TIMEOUT_MS = 60_000 + RUNS * 60;

/** A program runs on both servers: what each client got, byte for byte, and what listeners heard is compared. */
function sameFrames(stage: Stage): fc.IAsyncProperty<[Program]> {
  return fc.asyncProperty(programs(stage.clientNames), async (program) => {
    for (const { client, what, stock, decorated } of await stage.play(program)) {
      expect(decorated, `${what} of ${client}`).toEqual(stock);
    }
  });
}

describe.each(Object.entries(WORLDS))('a decorated server with %s', (_name, { share, world }) => {
  it('sends every client what stock sends, byte for byte', { timeout: TIMEOUT_MS }, async () => {
    await using stage = await Stage.open(world);
    await fc.assert(sameFrames(stage), { numRuns: Math.ceil(RUNS * share) });
    expect(stage.servers.factory.counters().fastDeliveries).toBeGreaterThan(0);
  });
});

describe('the comparison with stock', () => {
  const { broadcasts } = Sequence.prototype;
  const { settle } = Outbox.prototype;
  const sabotages: ReadonlyArray<[string, () => Disposable]> = [
    [
      'swaps two frames',
      () =>
        vi.spyOn(Sequence.prototype, 'broadcasts').mockImplementation(function (this: Sequence) {
          return broadcasts.call(this).reverse();
        }),
    ],
    [
      'lets others write first',
      () =>
        vi.spyOn(Outbox.prototype, 'yield').mockImplementation(function (this: Outbox) {
          this.touch();
        }),
    ],
    [
      'is writable too early',
      () =>
        vi.spyOn(Outbox.prototype, 'settle').mockImplementation(function (this: Outbox) {
          return settle.call(this) || settle.call(this);
        }),
    ],
  ];

  it.each(sabotages)('catches a server that %s', { timeout: TIMEOUT_MS }, async (_what, sabotage) => {
    await using stage = await Stage.open({
      server: {},
      clients: { w1: 'websocket', w2: 'websocket' },
      connects: ['40', '40/b,'],
    });
    using _sabotage = sabotage();
    const { failed } = await fc.check(sameFrames(stage), { numRuns: 2_000, endOnFailure: true });
    expect(failed).toBe(true);
  });
});
