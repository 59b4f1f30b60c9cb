import { expect, test } from 'vitest';
import { type Load, runScenario } from './run.ts';
import { halfOpenSubscriber, nodeFrozen, nodesKilled } from './scenarios/nodes.ts';
import { redisEmptied, redisKilled, repliesDropped, subscriptionsKilled } from './scenarios/redis.ts';

const SEED = 1;
const LOAD: Load = { clients: 60, rooms: 20, roomsPerClient: 2, eventsPerSecond: 50, payloadBytes: 64 };

const SHORT = [
  redisKilled(0.5),
  subscriptionsKilled(3),
  halfOpenSubscriber(5),
  repliesDropped(3),
  nodeFrozen({ seconds: 5, megabytes: 40, retention: 'small' }),
  nodesKilled(2),
  redisEmptied,
];

test.each(SHORT)('(G1) (G2) (G8) members have what publishers were told of: $name', async (scenario) => {
  // Other tests share the machine: how fast it is says nothing here.
  const { ok, ...verdict } = await runScenario(scenario, {
    seed: SEED,
    load: LOAD,
    calmMs: 1000,
    judgesLatency: false,
  });
  const wrong = verdict.checks.filter((check) => !check.ok);
  expect({ ok, wrong, complaints: verdict.complaints }).toEqual({
    ok: true,
    wrong: [],
    complaints: undefined,
  });
});
