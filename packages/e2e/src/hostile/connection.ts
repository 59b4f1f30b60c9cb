import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { eventually } from '@fanfare/testing';

const KEPT = 4096;

/** A client frame with a key of zeros, so that the payload stands in it as it is. `first` is FIN, RSV and opcode. */
export const frame = (payload: string | Buffer, first = 0x81): Buffer => {
  const body = typeof payload === 'string' ? Buffer.from(payload) : payload;
  const extra = body.length < 126 ? 0 : body.length < 65_536 ? 2 : 8;
  const head = Buffer.alloc(6 + extra);
  head[0] = first;
  head[1] = 0x80 | (extra === 0 ? body.length : extra === 2 ? 126 : 127);
  if (extra === 2) head.writeUInt16BE(body.length, 2);
  if (extra === 8) head.writeBigUInt64BE(BigInt(body.length), 2);
  return Buffer.concat([head, body]);
};

/** A close frame is the last one, and short. */
const endsInCloseFrame = (bytes: Buffer): boolean => {
  const at = bytes.lastIndexOf(0x88);
  return at !== -1 && bytes[at + 1] === bytes.length - at - 2;
};

/** A TCP connection of somebody who keeps to nothing. */
export class RawConnection implements Disposable {
  readonly #socket: Socket;
  #heard = '';
  #begin = '';
  /** Resolves with the time at which the connection ended, by `performance.now()`. */
  readonly closed: Promise<number>;
  isOpen = true;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      const end = () => {
        this.isOpen = false;
        socket.destroy();
        resolve(performance.now());
      };
      socket.once('end', end).once('close', end);
      socket.on('data', (bytes) => {
        if (this.#begin.length < KEPT) this.#begin += bytes.toString('latin1', 0, KEPT);
        this.#heard = (this.#heard + bytes.toString('latin1')).slice(-KEPT);
        // Nothing that comes later is read, though ws leaves the line open for half a minute for an answer.
        if (endsInCloseFrame(bytes)) end();
      });
    });
  }

  static async open(port: number): Promise<RawConnection> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const opened = new RawConnection(socket);
    await once(socket, 'connect');
    return opened;
  }

  /** The first 4 KB or more of what came in. */
  get begin(): string {
    return this.#begin;
  }

  /** The last 4 KB of what came in. */
  get heard(): string {
    return this.#heard;
  }

  /** Resolves once the machine has taken the bytes, or the connection is gone. */
  async write(bytes: string | Buffer): Promise<void> {
    if (!this.isOpen || this.#socket.write(bytes)) return;
    await Promise.race([once(this.#socket, 'drain').catch(() => undefined), this.closed]);
  }

  /** Resolves once this came in; rejects when it does not, or the connection ends before. */
  async hear(text: string): Promise<void> {
    await eventually(
      () => {
        if (!this.#heard.includes(text)) throw new Error(`"${text}" did not come: ${this.#heard}`);
      },
      { timeoutMs: 5000 },
    );
  }

  [Symbol.dispose](): void {
    this.#socket.resetAndDestroy();
  }
}

/** A connection that speaks websocket; `token` brings it into the namespace `/`. */
export const openWebSocket = async (port: number, token?: string): Promise<RawConnection> => {
  const connection = await RawConnection.open(port);
  await connection.write(
    [
      'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1',
      `Host: 127.0.0.1:${port}`,
      'Upgrade: websocket',
      'Connection: Upgrade',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      '\r\n',
    ].join('\r\n'),
  );
  await connection.hear('0{"sid"');
  if (token === undefined) return connection;
  await connection.write(frame(`40${JSON.stringify({ token })}`));
  await connection.hear('40{"sid"');
  return connection;
};

/** Opens a session of long polling; returns its id. */
export const openPolling = async (url: string, token?: string): Promise<string> => {
  const opened = await fetch(`${url}/socket.io/?EIO=4&transport=polling`);
  const sid = /"sid":"([^"]+)"/.exec(await opened.text())?.[1];
  if (sid === undefined) throw new Error(`no session of polling: ${opened.status}`);
  if (token !== undefined) await post(url, sid, `40${JSON.stringify({ token })}`);
  return sid;
};

/** Sends a payload of long polling; returns the status of the answer, 0 when the connection was cut. */
export const post = async (url: string, sid: string, payload: string): Promise<number> => {
  const response = await fetch(`${url}/socket.io/?EIO=4&transport=polling&sid=${sid}`, {
    method: 'POST',
    headers: { 'content-type': 'text/plain;charset=UTF-8' },
    body: payload,
  }).catch(() => undefined);
  await response?.text().catch(() => undefined);
  return response?.status ?? 0;
};
