import { Agent, request } from 'node:http';
import { fileURLToPath } from 'node:url';
import { RedisServer } from '@fanfare/testing';
import { readProcess } from '../measure/processes.ts';
import { Target } from '../servers/target.ts';
import type { BenchSetting } from '../servers/variants.ts';
import { batchCost, publishCost, RoundLog } from './figures.ts';
import type { BenchResult } from './result.ts';

export interface PublishCostPlan {
  rounds: number;
  /** Length of one turn. */
  passMs: number;
}

/** Requests under way while a busy api is compared with a bare route; one at a time otherwise. */
const BUSY_CALLERS = 32;
const BATCH = 100;
const ROOMS = 10;
/** Code is compiled after some ten thousand requests. */
const WARM_UP_PASSES = 2;
const API_KEY = 'bench-key-of-the-publisher';
const path = (file: string): string => fileURLToPath(new URL(file, import.meta.url));
const API = path('../../../api/src/main.ts');
const EXPRESS = path('../targets/express.ts');
const REDIS_CONF = path('../../../../deploy/redis/redis.conf');

/** One turn: what is asked of whom, how often at the same time. */
interface Turn {
  server: Target;
  route: '/v1/publish' | '/v1/batch';
  body: () => string;
  callers: number;
  /** Events in one request. */
  events: number;
}

/**
 * CPU per event: of the api beside a bare Express route that reads the same body, 32 requests under way at each; and of
 * api and Redis together for one caller that publishes event by event, beside one that sends batches of 100.
 */
export const measurePublishCost = async (
  plan: PublishCostPlan,
  setting: BenchSetting,
  progress: (line: string) => void,
): Promise<NonNullable<BenchResult['publishCost']>> => {
  await using stack = new AsyncDisposableStack();
  const redis = stack.use(await RedisServer.start({ config: REDIS_CONF }));
  const start = async (name: string, program: string, env: Record<string, string>): Promise<Target> =>
    stack.use(
      await Target.start({
        name,
        command: [...setting.pinned, process.execPath, '--conditions=source', program],
        env,
      }),
    );
  const api = await start('api', API, apiEnv(redis.url));
  const express = await start('express', EXPRESS, {});
  const nextEvent = eventSource();
  const one = () => JSON.stringify(nextEvent());
  const many = () => JSON.stringify({ commands: Array.from({ length: BATCH }, nextEvent) });
  const publish = { server: api, route: '/v1/publish', body: one, events: 1 } as const;
  const turns = {
    express: { ...publish, server: express, callers: BUSY_CALLERS },
    ours: { ...publish, callers: BUSY_CALLERS },
    single: { ...publish, callers: 1 },
    batch: { server: api, route: '/v1/batch', body: many, events: BATCH, callers: 1 },
  } satisfies Record<string, Turn>;

  const log = new RoundLog();
  for (const turn of Object.values(turns)) await drive(turn, plan.passMs * WARM_UP_PASSES);
  for (let round = 1; round <= plan.rounds; round++) {
    const costs = new Map<string, { server: number; both: number }>();
    for (const [name, turn] of Object.entries(turns)) {
      costs.set(name, await measure(turn, redis.pid, plan.passMs));
    }
    for (const name of ['express', 'ours']) log.add('busy', name, costs.get(name)?.server ?? Number.NaN);
    for (const name of ['single', 'batch']) log.add('alone', name, costs.get(name)?.both ?? Number.NaN);
    progress(
      `round ${round} of ${plan.rounds}: ` +
        [...costs]
          .map(([name, { server, both }]) => `${name} ${server.toFixed(1)} (${both.toFixed(1)} with Redis)`)
          .join(', ') +
        ' µs per event',
    );
  }
  return {
    callers: BUSY_CALLERS,
    busy: publishCost(log.rounds('busy')),
    alone: batchCost(log.rounds('alone')),
  };
};

const apiEnv = (redisUrl: string) => ({
  FANFARE_HOST: '127.0.0.1',
  FANFARE_PORT: '0',
  FANFARE_OPS_HOST: '127.0.0.1',
  FANFARE_OPS_PORT: '0',
  FANFARE_API_KEYS: `bench:${API_KEY}`,
  REDIS_URL: redisUrl,
});

/** Events as a backend sends them, each with an id of its own. */
const eventSource = () => {
  let n = 0;
  return () => {
    n += 1;
    return {
      room: `project:${n % ROOMS}`,
      event: 'task:created',
      data: { id: n, title: 'Write the report for the board', done: false, tags: ['a', 'b'] },
      id: `bench-${n}`,
    };
  };
};

/** µs of CPU per event: of the server, and of it and Redis. */
const measure = async (
  turn: Turn,
  redisPid: number,
  ms: number,
): Promise<{ server: number; both: number }> => {
  const read = async () => {
    const [server, redis] = await Promise.all([readProcess(turn.server.pid), readProcess(redisPid)]);
    return { server: server.cpuMicros, redis: redis.cpuMicros };
  };
  const before = await read();
  const events = (await drive(turn, ms)) * turn.events;
  const after = await read();
  const server = (after.server - before.server) / events;
  return { server, both: server + (after.redis - before.redis) / events };
};

/** Sends one request after the other from each caller, and returns how many were answered. */
const drive = async ({ server, route, body, callers }: Turn, ms: number): Promise<number> => {
  const agent = new Agent({ keepAlive: true });
  const end = performance.now() + ms;
  let answered = 0;
  const call = async () => {
    while (performance.now() < end) {
      await send({ agent, port: server.port, path: route }, body());
      answered += 1;
    }
  };
  try {
    await Promise.all(Array.from({ length: callers }, call));
    return answered;
  } finally {
    agent.destroy();
  }
};

const send = (to: { agent: Agent; port: number; path: string }, body: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${API_KEY}`,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    };
    const sent = request({ ...to, host: '127.0.0.1', method: 'POST', headers }, (response) => {
      const { statusCode = 0 } = response;
      response.resume().once('error', reject);
      response.once('end', () => {
        if (statusCode < 300) resolve();
        else reject(new Error(`${to.path} answered ${statusCode}`));
      });
    });
    sent.once('error', reject);
    sent.end(body);
  });
