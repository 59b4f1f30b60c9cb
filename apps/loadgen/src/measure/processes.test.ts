import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { cpuBetween, readProcess } from './processes.ts';

/** A process that works for as much CPU time as it is told, says so, and waits. */
const WORKER = `
process.stdout.write('idle\\n');
process.stdin.once('data', () => {
  const end = process.cpuUsage().user + 300_000;
  while (process.cpuUsage().user < end);
  process.stdout.write('done\\n');
});
`;

it("reads another process's CPU time and memory from the operating system", async () => {
  const child = spawn(process.execPath, ['-e', WORKER], { stdio: ['pipe', 'pipe', 'inherit'] });
  await using _ = { [Symbol.asyncDispose]: async () => void child.kill('SIGKILL') };
  const pid = child.pid ?? 0;
  await once(child.stdout, 'data');
  const before = await readProcess(pid);
  child.stdin.write('go\n');
  await once(child.stdout, 'data');
  const after = await readProcess(pid);
  const { cpuMicros, userMicros } = cpuBetween(before, after);
  expect(cpuMicros).toBeGreaterThanOrEqual(290_000);
  expect(userMicros).toBeGreaterThanOrEqual(250_000);
  expect(after.rssBytes).toBeGreaterThan(10 * 2 ** 20);
});
