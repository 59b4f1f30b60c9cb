import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import proxyAddr from 'proxy-addr';

/** The address of whoever made a request: an IP address, an IPv4 one without the `::ffff:` of a dual socket. */
export type ClientAddress = (request: IncomingMessage) => string;

const plain = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/, '');

/**
 * Reads `X-Forwarded-For` from the right for as long as the addresses are those of trusted proxies, and believes nobody
 * else. `trusted` holds addresses, CIDR ranges, `loopback`, `linklocal` and `uniquelocal`.
 */
export function createClientAddress(trusted: readonly string[]): ClientAddress {
  const isTrusted = proxyAddr.compile([...trusted]);
  return (request) => {
    const forwarded = proxyAddr(request, isTrusted);
    // A proxy may pass on what is no address at all.
    return plain(isIP(forwarded) === 0 ? (request.socket.remoteAddress ?? '') : forwarded);
  };
}

/** What is wrong with an item of a list of proxies, or undefined. */
export const proxyProblem = (item: string): string | undefined => {
  try {
    proxyAddr.compile(item);
    return undefined;
  } catch {
    return `"${item}" is no address, no CIDR range such as 10.0.0.0/8, and not loopback, linklocal or uniquelocal`;
  }
};
