import type { IncomingHttpHeaders } from 'node:http';

/** What is wrong with an item of a list of origins, or undefined. */
export const originProblem = (item: string): string | undefined => {
  if (item === '*') return undefined;
  const url = URL.parse(item);
  if (url === null || !/^https?:$/.test(url.protocol))
    return `"${item}" is no origin: write it like https://app.example.com`;
  return url.origin === item ? undefined : `a browser sends "${url.origin}", never "${item}": write that`;
};

/**
 * Whether a page may open a connection. Browsers name the page's origin in every WebSocket handshake and leave the
 * decision to the server, so CORS headers alone would keep nobody out. What names no origin is no browser and has no
 * cookies to abuse; a page of the very host that is asked needs no entry.
 */
export function createOriginCheck(allowed: readonly string[]): (headers: IncomingHttpHeaders) => boolean {
  const listed = new Set(allowed);
  const isOpen = listed.has('*');
  return ({ origin, host }) =>
    isOpen ||
    origin === undefined ||
    listed.has(origin) ||
    // Only the host is compared: a proxy that ends TLS is asked by https and asks by http.
    (host !== undefined && (origin === `https://${host}` || origin === `http://${host}`));
}
