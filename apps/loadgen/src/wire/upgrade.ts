import { createHash, randomBytes } from 'node:crypto';

const KEY = randomBytes(16).toString('base64');
const ACCEPT = createHash('sha1').update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');

/** The HTTP request that asks for a WebSocket, without extensions. */
export const upgradeRequest = (host: string, path: string): string =>
  [
    `GET ${path} HTTP/1.1`,
    `Host: ${host}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${KEY}`,
    '\r\n',
  ].join('\r\n');

/**
 * Reads the answer to `upgradeRequest`. Returns where the frames start, or 0 while the head is not complete.
 * Throws when the server refused.
 */
export const readUpgradeAnswer = (bytes: Buffer): number => {
  const end = bytes.indexOf('\r\n\r\n');
  if (end === -1) return 0;
  const [status = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
  if (!status.startsWith('HTTP/1.1 101')) {
    throw new Error(`upgrade refused: ${status} ${bytes.toString('utf8', end + 4).slice(0, 200)}`.trim());
  }
  const header = (name: string) =>
    lines
      .find((line) => line.toLowerCase().startsWith(`${name}:`))
      ?.slice(name.length + 1)
      .trim();
  if (header('sec-websocket-accept') !== ACCEPT)
    throw new Error('the server answered with a wrong accept key');
  if (header('sec-websocket-extensions') !== undefined)
    throw new Error('the server agreed to what nobody asked');
  return end + 4;
};
