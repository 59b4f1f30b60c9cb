import { type AppProcess, runApp } from '../cluster/app-process.ts';

/** Api processes with a relay, of which one may be killed at any moment. */
export interface Relays extends AsyncDisposable {
  readonly count: number;
  /** Kills one with SIGKILL and starts another in its place; resolves when that listens. */
  replace(which: number): Promise<void>;
}

export const startRelays = async (count: number, env: Readonly<Record<string, string>>): Promise<Relays> => {
  const start = async () => {
    const relay = await runApp('api', env);
    await relay.listening();
    return relay;
  };
  const relays: AppProcess[] = await Promise.all(Array.from({ length: count }, start));
  return {
    count,
    replace: async (which) => {
      const old = relays[which];
      if (old === undefined) throw new RangeError(`there is no relay ${which}`);
      old.process.kill('SIGKILL');
      await old.process.exited;
      relays[which] = await start();
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(relays.map((relay) => relay[Symbol.asyncDispose]()));
    },
  };
};
