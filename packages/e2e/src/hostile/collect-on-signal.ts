// Loaded before a gateway: at SIGUSR2 it says how long a turn of its event loop took, collects garbage and says what is left.
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const SAMPLE_MS = 5;

// The processor's time, not the clock's: a machine that gives its cores to others shows in the clock only.
let usedBefore = process.threadCpuUsage();
let longestMs = 0;
const sample = () => {
  const used = process.threadCpuUsage(usedBefore);
  usedBefore = process.threadCpuUsage();
  longestMs = Math.max(longestMs, (used.user + used.system) / 1000);
};
setInterval(sample, SAMPLE_MS).unref();

process.on('SIGUSR2', async () => {
  sample();
  const loopMs = longestMs;
  // Without --expose-gc the V8 settings of the process stay those that it would have in production.
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  for (let round = 0; round < 3; round += 1) {
    collect();
    await delay(20);
  }
  const { heapUsed, external } = process.memoryUsage();
  process.stdout.write(`${JSON.stringify({ collected: process.pid, heapUsed, external, loopMs })}\n`);
  sample();
  longestMs = 0;
});
