import { execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { ManagedProcess } from '@fanfare/testing';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));

const PROGRAM = `
import { io } from 'socket.io-client';
const [url, token] = process.argv.slice(1);
const socket = io(url, { auth: { token }, transports: ['websocket'] });
socket.on('connect', () => process.stdout.write('connected ' + socket.id + '\\n'));
`;

/** A stock client in a process of its own that is frozen once it is connected, as a phone in a pocket is. */
export const openFrozenClient = async (url: string, token: string) => {
  const process = await ManagedProcess.start({
    name: 'client',
    command: execPath,
    args: ['--input-type=module', '-e', PROGRAM, url, token],
    cwd: ROOT,
  });
  try {
    const line = await process.waitForLine((text) => text.startsWith('connected '));
    process.kill('SIGSTOP');
    return {
      /** The id of its socket. */
      id: line.slice('connected '.length),
      [Symbol.asyncDispose]: async () => {
        await process.stop('SIGKILL');
      },
    };
  } catch (error) {
    await process.stop('SIGKILL');
    throw error;
  }
};
