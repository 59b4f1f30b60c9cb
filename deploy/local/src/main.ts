import { once } from 'node:events';
import type { Exit } from '@fanfare/testing';
import { announcement, jsonAnnouncement } from './announcement.ts';
import { type LauncherOptions, parseOptions, USAGE, UsageError } from './options.ts';
import { isLevel, jsonLine, type Level, type LogLine, readableLine } from './process/log-lines.ts';
import { PortError } from './process/public-port.ts';
import { startSingle } from './single/single.ts';
import { startStack } from './stack/stack.ts';

const tell = (text: string) => process.stderr.write(`${text}\n`);

/** Settings of the gateways; what else stands in the environment is inherited anyway. */
const gatewaySettings = () =>
  Object.fromEntries(
    Object.entries(process.env).filter(([name]) => name.startsWith('FANFARE_') || name === 'LOG_LEVEL'),
  );

/** Aborts with the first signal; the later ones of an impatient or forwarding parent change nothing. */
const untilSignal = (): AbortSignal => {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => stop.abort(new UsageError(`Stopped by ${signal}.`)));
  }
  return stop.signal;
};

/** Lines of the processes as they come with `--json`; for a reader once all runs, as a failed start tells its own. */
const createLog = (json: boolean, threshold: Level) => {
  const held: string[] = [];
  let isHolding = !json;
  return {
    write: (line: LogLine) => {
      const text = json ? jsonLine(line, threshold) : readableLine(line, threshold);
      if (text === undefined) return;
      if (isHolding) held.push(text);
      else tell(text);
    },
    release: () => {
      isHolding = false;
      for (const text of held.splice(0)) tell(text);
    },
  };
};

const launch = async (options: LauncherOptions): Promise<void> => {
  const signal = untilSignal();
  const env = gatewaySettings();
  const asked = env.LOG_LEVEL;
  const log = createLog(options.json, isLevel(asked) ? asked : options.json ? 'info' : 'warn');
  const shared = {
    host: options.host,
    port: options.port,
    ...(options.workers !== undefined && { workers: options.workers }),
    env,
    onLog: log.write,
    onProgress: tell,
    onExit: (name: string, { code, signal: by }: Exit) => tell(`${name} ended with ${by ?? `code ${code}`}.`),
    signal,
  };
  await using started = options.single
    ? await startSingle(shared)
    : await startStack({ ...shared, nodes: options.nodes, ...(options.board && { board: {} }) });
  const told = { ...started, boardUrl: options.board ? `${started.url}/board/` : undefined };
  process.stdout.write(
    options.json ? `${jsonAnnouncement(told)}\n` : announcement(told, { single: options.single }),
  );
  log.release();
  if ('board' in started && options.board) {
    started.board().catch((error: Error) => {
      if (!signal.aborted) tell(`The board did not start: ${error.message}`);
    });
  }
  if (!signal.aborted) await once(signal, 'abort');
  tell('Stopping …');
};

try {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(USAGE);
  else await launch(options);
} catch (error) {
  const known = error instanceof UsageError || error instanceof PortError;
  tell(known || !(error instanceof Error) ? String(known ? error.message : error) : error.message);
  process.exitCode = 1;
}
