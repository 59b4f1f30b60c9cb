// Loaded before a gateway: at SIGUSR2 it collects garbage and says what is left.
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

process.on('SIGUSR2', async () => {
  // Without --expose-gc the V8 settings of the process stay those that it would have in production.
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  for (let round = 0; round < 3; round += 1) {
    collect();
    await delay(20);
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  process.stdout.write(`${JSON.stringify({ collected: process.pid, heapUsed, external, rss })}\n`);
});
