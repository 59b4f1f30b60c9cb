import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { startWorkers } from '@fanfare/cluster';
import { SINGLE_VARIABLE, singleConfig } from './config.ts';

const log = (level: 'info' | 'error', fields: Record<string, unknown>) =>
  process.stdout.write(
    `${JSON.stringify({ level, time: new Date().toISOString(), app: 'single', ...fields })}\n`,
  );

const mainOf = (app: string) =>
  fileURLToPath(new URL(`../../../../apps/${app}/src/main.ts`, import.meta.url));

const config = singleConfig.parse(JSON.parse(process.env[SINGLE_VARIABLE] ?? ''));
// Workers inherit this environment, and each is to have only the settings that are its own.
for (const name of Object.keys(process.env)) {
  if (name.startsWith('FANFARE_') || name === 'REDIS_URL') delete process.env[name];
}

const server = createServer();
const workers = await startWorkers({
  server,
  program: { exec: mainOf('gateway'), env: config.gatewayEnv },
  companion: { exec: mainOf('api'), env: config.apiEnv },
  count: config.workers,
  relay: true,
  onSilence: (silent) => log('error', { ...silent, msg: 'worker stands still, ending it' }),
  onDeath: (death) => log('error', { ...death, msg: 'worker died, replacing it' }),
});

const stop = async () => {
  server.close();
  await workers.drain();
  process.exit(0);
};
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop);

server.listen(config.port, config.host, () => {
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : config.port;
  log('info', { msg: 'listening', port, pid: process.pid, workers: workers.pids });
});
