import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';

/** A text frame of a client, masked with zeros. */
const frame = (text: string): Buffer => {
  const payload = Buffer.from(text);
  const head = Buffer.from([0x81, 0xfe, 0, 0, 0, 0, 0, 0]);
  head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([head, payload]);
};

const handshake = (host: string): string =>
  [
    'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1',
    `Host: ${host}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    '\r\n',
  ].join('\r\n');

/**
 * Opens a websocket and asks for its namespace in the very moment in which the server has said its first word, sooner
 * than a stock client can. Resolves with true when the server answers, with false after `timeoutMs` without.
 */
export const joinsQuickly = (url: string, options: { token: string; timeoutMs: number }): Promise<boolean> =>
  new Promise((resolve, reject) => {
    const { hostname, port, host } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), noDelay: true }).setEncoding('latin1');
    let said = '';
    let hasAsked = false;
    const end = (answered: boolean) => {
      socket.destroy();
      resolve(answered);
    };
    socket.setTimeout(options.timeoutMs, () => end(false));
    socket.once('error', reject);
    socket.on('data', (text) => {
      said += text;
      if (said.includes('40{"sid":')) end(true);
      else if (!hasAsked && said.includes('0{"sid":')) {
        hasAsked = true;
        socket.write(frame(`40${JSON.stringify({ token: options.token })}`));
      }
    });
    socket.write(handshake(host));
  });
