import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below the ranges that Linux and macOS take the ports of outgoing connections from. */
const LOWEST = 15_000;
const HIGHEST = 32_000;

/** Why a server could not listen there now, such as `EADDRINUSE`; undefined when it could. */
export const listenError = async (port: number, host = '127.0.0.1'): Promise<string | undefined> => {
  const server = createServer();
  server.listen({ port, host, exclusive: true });
  try {
    await once(server, 'listening');
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
  server.close();
  await once(server, 'close');
  return undefined;
};

/** Whether a server could listen on this port now. */
export const isPortFree = async (port: number, host = '127.0.0.1'): Promise<boolean> =>
  (await listenError(port, host)) === undefined;

/**
 * A port that nothing listens on. It lies outside the ephemeral range, so an outgoing connection cannot
 * take it before the caller listens on it.
 */
export const freePort = async (host = '127.0.0.1'): Promise<number> => {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(LOWEST, HIGHEST);
    if (await isPortFree(port, host)) return port;
  }
  throw new Error(`No free port between ${LOWEST} and ${HIGHEST} on ${host}.`);
};
