import { once } from 'node:events';
import { createBoard, StartError } from './board.ts';
import { BOARD_SHUTDOWN_MS, ConfigError, loadBoardConfig } from './config.ts';

const EXIT_CONFIG = 78;

const run = async (): Promise<void> => {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());
  await using board = await createBoard(loadBoardConfig(process.env));
  await board.listen();
  if (!stop.signal.aborted) await once(stop.signal, 'abort');
  setTimeout(() => process.exit(1), BOARD_SHUTDOWN_MS).unref();
  await board.drain();
};

try {
  await run();
} catch (error) {
  if (!(error instanceof ConfigError || error instanceof StartError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = error instanceof ConfigError ? EXIT_CONFIG : 1;
}
