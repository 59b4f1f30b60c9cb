import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { eventually, nextEvent } from '@fanfare/testing';
import { frame } from '../hostile/connection.ts';

/** How often the answer to a ping is sent, which such a client never reads, in ms. */
const PONG_MS = 500;

/** Sends something, and waits until what the server says holds the answer. */
const ask = async (tcp: Socket, question: string | Buffer, answer: string): Promise<void> => {
  let heard = '';
  const keep = (chunk: Buffer) => {
    heard += chunk.toString('latin1');
  };
  tcp.on('data', keep);
  tcp.write(question);
  await eventually(() => {
    if (!heard.includes(answer)) throw new Error(`no ${answer} in ${heard}`);
  });
  tcp.off('data', keep);
};

/** A client that joins a room and reads nothing from then on, but goes on answering pings. */
export const openStalledClient = async (
  url: string,
  { token, room }: { token: string; room: string },
): Promise<Disposable> => {
  const { hostname, port } = new URL(url);
  const tcp = connect(Number(port), hostname);
  // It learns of its end as it goes on writing.
  tcp.on('error', () => undefined);
  await nextEvent(tcp, 'connect');
  const upgrade = [
    'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1',
    `Host: ${hostname}:${port}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
  ];
  await ask(tcp, `${upgrade.join('\r\n')}\r\n\r\n`, '"sid"');
  await ask(tcp, frame(`40${JSON.stringify({ token })}`), '40{"sid"');
  await ask(tcp, frame(`421${JSON.stringify(['room:join', { room }])}`), '431[{"ok":true');
  tcp.pause();
  const pongs = setInterval(() => tcp.write(frame('3')), PONG_MS);
  return {
    [Symbol.dispose]: () => {
      clearInterval(pongs);
      tcp.destroy();
    },
  };
};
