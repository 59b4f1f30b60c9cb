import { connect } from 'node:net';
import { text } from 'node:stream/consumers';

/** Sends one command without arguments that need quotes, and returns the reply as Redis wrote it. */
export const askRedis = async (port: number, command: string): Promise<string> => {
  const socket = connect(port, '127.0.0.1');
  socket.setTimeout(2000, () => socket.destroy(new Error(`Redis on ${port} does not answer ${command}`)));
  // A sentinel knows no QUIT; the end of the input is taken after the reply is written.
  socket.end(`${command}\r\n`);
  const reply = await text(socket);
  if (reply.startsWith('-')) throw new Error(`${command} on ${port}: ${reply.trim()}`);
  return reply;
};

/** The lines of a reply in which every line is `name:value`. */
export const fieldsOf = (reply: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    reply.split('\r\n').flatMap((line) => {
      const colon = line.indexOf(':');
      return colon > 0 ? [[line.slice(0, colon), line.slice(colon + 1)]] : [];
    }),
  );
