import { isIPv6 } from 'node:net';
import { listenError } from '@fanfare/testing';

/** The public port cannot be had: one sentence for the reader. */
export class PortError extends Error {}

/** Where a client on this machine reaches a port that may listen on all addresses. */
export const urlOf = (host: string, port: number): string => {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${isIPv6(reachable) ? `[${reachable}]` : reachable}:${port}`;
};

/** Asked before anything is started, as a taken port is the most common reason for a start to fail. */
export const assertCanListen = async (host: string, port: number): Promise<void> => {
  const code = await listenError(port, host);
  if (code === undefined) return;
  if (code === 'EADDRINUSE')
    throw new PortError(
      `Port ${port} on ${host} is taken: stop what listens there or choose another one with --port.`,
    );
  if (code === 'EACCES')
    throw new PortError(`Port ${port} needs more rights: choose one above 1023 with --port.`);
  throw new PortError(`Nothing can listen on ${host}:${port} (${code}): choose another address with --host.`);
};
