import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import * as inspector from 'node:inspector';
import { setupPrimary as relayRooms } from '@socket.io/cluster-adapter';
import { setupMaster as spreadConnections } from '@socket.io/sticky';
import { z } from 'zod';
import { guardHandover } from './handover.ts';
import { PrimaryPresence } from './primary-presence.ts';

/** A program that runs as a cluster worker of this process. */
export interface WorkerProgram {
  exec: string;
  env: Record<string, string>;
}

export interface WorkerDeath {
  worker: string;
  pid: number | undefined;
  code: number | null;
  signal: string | null;
}

export interface WorkerPool extends AsyncDisposable {
  readonly pids: readonly number[];
  /** Why the pool is not ready, by worker; empty when every worker is. */
  notReady(): readonly string[];
  /** Asks every worker to drain and waits until all have exited. */
  drain(): Promise<void>;
}

/** What a worker tells its primary, at once when it changes and every two seconds. */
const workerStatus = z.object({ source: z.literal('fanfare'), notReady: z.array(z.string()) });
export type WorkerStatus = z.infer<typeof workerStatus>;

/** Wait before a crashed worker is replaced, in ms; doubled while it keeps crashing. */
const REPLACE_FIRST_MS = 100;
const REPLACE_MAX_MS = 5000;
const STABLE_MS = 10_000;

/** A worker that has said nothing for so long stands still, and its clients wait for it in vain; in ms. */
const SILENT_MS = 10_000;
const CHECK_MS = 1000;

interface Slot {
  name: string;
  program: WorkerProgram;
  /** Takes no client connections. */
  companion: boolean;
  worker?: Worker;
  /** When the worker last spoke, in ms of `performance.now()`; undefined until it is up. */
  heardAt?: number | undefined;
  notReady: readonly string[];
  crashes: number;
}

/**
 * Runs a program in `count` worker processes that share the connections of `server`: `@socket.io/sticky` keeps a
 * session on its worker. A worker that crashes or stands still is replaced, its siblings go on. Rejects when a worker ends
 * before it is up.
 */
export async function startWorkers(options: {
  server: HttpServer;
  program: WorkerProgram;
  count: number;
  /** One more worker that shares rooms but takes no client connections. */
  companion?: WorkerProgram;
  /** Relay rooms and broadcasts between the workers, and keep who is in them: true when there is no Redis to do it. */
  relay: boolean;
  /** It is ended and replaced. */
  onSilence: (silent: Pick<WorkerDeath, 'worker' | 'pid'>) => void;
  onDeath: (death: WorkerDeath) => void;
}): Promise<WorkerPool> {
  spreadConnections(options.server, { loadBalancingMethod: 'least-connection' });
  if (options.relay) relayRooms();
  const presence = options.relay ? new PrimaryPresence() : undefined;

  const slots: Slot[] = Array.from({ length: options.count }, (_, i) =>
    newSlot(String(i), options.program, false),
  );
  if (options.companion !== undefined) slots.push(newSlot('companion', options.companion, true));

  const timers = new Set<NodeJS.Timeout>();
  let stopping = false;

  const replace = (slot: Slot) => {
    const delayMs = Math.min(REPLACE_FIRST_MS * 2 ** slot.crashes, REPLACE_MAX_MS);
    slot.crashes += 1;
    const timer = setTimeout(() => {
      timers.delete(timer);
      fork(slot);
    }, delayMs);
    timers.add(timer);
  };

  const fork = (slot: Slot): Worker => {
    // `exec` is read at each fork; JSON would turn the bytes of a long-polling request into text.
    cluster.setupPrimary({ exec: slot.program.exec, args: [], serialization: 'advanced' });
    const worker = cluster.fork({ ...slot.program.env, FANFARE_WORKER: slot.name });
    const handover = guardHandover(worker);
    if (presence !== undefined) sharePresence(presence, worker);
    slot.worker = worker;
    slot.notReady = ['starting'];
    setClientsCount(worker, slot.companion ? Number.POSITIVE_INFINITY : STARTING_COUNT);
    const startedAt = performance.now();
    let isUp = false;
    worker.on('message', (message: unknown) => {
      const status = workerStatus.safeParse(message);
      if (!status.success) return;
      slot.notReady = status.data.notReady;
      slot.heardAt = performance.now();
      if (isUp) return;
      isUp = true;
      if (!slot.companion) setClientsCount(worker, 0);
      handover.open();
    });
    worker.on('error', () => {
      // The channel to a worker that has just died; its exit is told below.
    });
    worker.once('exit', (code, signal) => {
      slot.notReady = ['not running'];
      slot.heardAt = undefined;
      if (stopping) return;
      if (performance.now() - startedAt > STABLE_MS) slot.crashes = 0;
      options.onDeath({ worker: slot.name, pid: worker.process.pid, code, signal });
      if (started) replace(slot);
    });
    return worker;
  };

  let checkedAt = performance.now();
  const endSilent = () => {
    const now = performance.now();
    // What workers said while this process itself stood still is not read yet.
    const stoodStill = now - checkedAt > 2 * CHECK_MS;
    checkedAt = now;
    for (const slot of slots) {
      if (slot.heardAt === undefined) continue;
      if (stoodStill) slot.heardAt = now;
      if (now - slot.heardAt < SILENT_MS) continue;
      slot.heardAt = undefined;
      options.onSilence({ worker: slot.name, pid: slot.worker?.process.pid });
      slot.worker?.process.kill('SIGKILL');
    }
  };
  // A worker may well stand still at a breakpoint.
  const check = inspector.url() === undefined ? setInterval(endSilent, CHECK_MS) : undefined;
  const stop = () => {
    stopping = true;
    clearInterval(check);
    for (const timer of timers) clearTimeout(timer);
  };

  let started = false;
  const pool: WorkerPool = {
    get pids() {
      return slots.flatMap(({ worker }) =>
        isAlive(worker) && worker.process.pid ? [worker.process.pid] : [],
      );
    },
    notReady: () => slots.flatMap((slot) => slot.notReady.map((reason) => `worker ${slot.name}: ${reason}`)),
    drain: async () => {
      stop();
      await Promise.all(slots.map(({ worker }) => endWorker(worker, 'SIGTERM')));
    },
    [Symbol.asyncDispose]: async () => {
      stop();
      await Promise.all(slots.map(({ worker }) => endWorker(worker, 'SIGKILL')));
    },
  };
  try {
    await Promise.all(slots.map((slot) => firstStatus(fork(slot), slot.name)));
  } catch (error) {
    await pool[Symbol.asyncDispose]();
    throw error;
  }
  started = true;
  return pool;
}

const newSlot = (name: string, program: WorkerProgram, companion: boolean): Slot => ({
  name,
  program,
  companion,
  notReady: ['starting'],
  crashes: 0,
});

const sharePresence = (presence: PrimaryPresence, worker: Worker): void => {
  const present = presence.admit((message) => {
    if (worker.isConnected()) worker.send(message, () => undefined);
  });
  worker.on('message', present.receive);
  worker.once('exit', present.ended);
};

/** More sessions than any worker that is up can have: while another one is up, a starting one gets none. */
const STARTING_COUNT = Number.MAX_SAFE_INTEGER;

/** `@socket.io/sticky` 2.0.1 gives a new session to the worker with the smallest count, and counts from there. */
const setClientsCount = (worker: Worker, clientsCount: number) => Object.assign(worker, { clientsCount });

const isAlive = (worker: Worker | undefined): worker is Worker => worker !== undefined && !worker.isDead();

const endWorker = async (worker: Worker | undefined, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
  if (!isAlive(worker)) return;
  const exited = once(worker, 'exit');
  worker.process.kill(signal);
  await exited;
};

/** A worker that ended before it was up; it has said why on its own stderr. */
export class WorkerStartError extends Error {
  readonly exitCode: number;

  constructor(name: string, exitCode: number) {
    super(`Worker ${name} ended with code ${exitCode} before it was up.`);
    this.name = 'WorkerStartError';
    this.exitCode = exitCode;
  }
}

const firstStatus = (worker: Worker, name: string): Promise<void> =>
  new Promise((resolve, reject) => {
    worker.on('message', (message: unknown) => {
      if (workerStatus.safeParse(message).success) resolve();
    });
    worker.once('exit', (code) => reject(new WorkerStartError(name, code ?? 1)));
  });
