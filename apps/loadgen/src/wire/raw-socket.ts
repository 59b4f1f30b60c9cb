import { connect, type Socket } from 'node:net';
import { z } from 'zod';
import { encodeFrame, FrameReader, OPCODE } from './frames.ts';
import { readUpgradeAnswer, upgradeRequest } from './upgrade.ts';

/** `socketio`: Engine.IO 4 and Socket.IO 5 in a WebSocket. `ws`: frames alone. `bare`: frames without the upgrade. */
export type WireMode = 'socketio' | 'ws' | 'bare';

export interface RawSocketOptions {
  host: string;
  port: number;
  mode: WireMode;
  /** Path of the Engine.IO endpoint; default `/socket.io/`. */
  path?: string;
  namespace?: string;
  /** What a client passes as `auth`. */
  auth?: Record<string, unknown>;
  /** Source address: a machine has about 28,000 ports for each. */
  localAddress?: string;
  /** Every message that is not protocol business; the bytes are only valid during the call. */
  onMessage?: (payload: Buffer) => void;
  /** Once, when an open connection has ended, with the reason. */
  onEnd?: (reason: string) => void;
}

/** What Engine.IO says of itself when a session opens. */
const openPacket = z.object({
  sid: z.string(),
  pingInterval: z.number(),
  pingTimeout: z.number(),
  maxPayload: z.number(),
});
export type EngineSettings = z.infer<typeof openPacket>;

// One buffer for all reads of the process: libuv fills it and the frames are taken out before the next read.
const readBuffer = Buffer.allocUnsafeSlow(256 * 1_024);
const PONG = '3';
const code = (char: string): number => char.charCodeAt(0);

/** A Socket.IO client of one connection: the least that a server can be asked to serve. */
export class RawSocket {
  readonly #options: RawSocketOptions;
  readonly #reader = new FrameReader();
  readonly #acks = new Map<number, (data: unknown) => void>();
  readonly #nsp: string;
  #tcp: Socket | undefined;
  #head: Buffer | undefined = Buffer.alloc(0);
  #nextAck = 0;
  #opened: { resolve: () => void; reject: (error: Error) => void } | undefined;
  #ended = false;
  /** Set by the server's open packet; undefined before and outside of `socketio`. */
  engine: EngineSettings | undefined;

  constructor(options: RawSocketOptions) {
    this.#options = options;
    const namespace = options.namespace ?? '/';
    this.#nsp = namespace === '/' ? '' : `${namespace},`;
  }

  /** Resolves when the server has taken the connection (and the namespace). */
  open(): Promise<void> {
    const { host, port, mode, localAddress, path = '/socket.io/' } = this.#options;
    return new Promise((resolve, reject) => {
      this.#opened = { resolve, reject };
      const onread = {
        buffer: readBuffer,
        callback: (bytes: number, chunk: Uint8Array): boolean => {
          this.#receive(chunk === readBuffer ? readBuffer : Buffer.from(chunk), bytes);
          return true;
        },
      };
      const tcp = connect({ host, port, onread, noDelay: true, ...(localAddress ? { localAddress } : {}) });
      this.#tcp = tcp;
      tcp.once('connect', () => {
        const query = mode === 'socketio' ? '?EIO=4&transport=websocket' : '';
        if (mode === 'bare') this.#ready();
        else tcp.write(upgradeRequest(`${host}:${port}`, path + query));
      });
      tcp.on('error', (error) => this.#end(error.message));
      tcp.once('close', () => this.#end('the server closed the connection'));
      if (mode === 'bare') this.#head = undefined;
    });
  }

  emit(event: string, ...args: unknown[]): void {
    this.send(`42${this.#nsp}${JSON.stringify([event, ...args])}`);
  }

  /** Resolves with the first argument of the ack, or rejects when the connection ends before it. */
  emitWithAck(event: string, data: unknown): Promise<unknown> {
    const id = this.#nextAck++;
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(new Error('not connected'));
      this.#acks.set(id, (answer) => (answer instanceof Error ? reject(answer) : resolve(answer)));
      this.send(`42${this.#nsp}${id}${JSON.stringify([event, data])}`);
    });
  }

  /** Sends one text message as it is. */
  send(text: string): void {
    this.#tcp?.write(encodeFrame(text));
  }

  /** Ends the connection with a reset, so that no port is left waiting on this side. */
  close(): void {
    this.#tcp?.resetAndDestroy();
    this.#end('closed on this side', { told: false });
  }

  #receive(chunk: Buffer, bytes: number): void {
    try {
      if (this.#head !== undefined) this.#receiveHead(chunk.subarray(0, bytes));
      else this.#reader.push(chunk, bytes, this.#take);
    } catch (error) {
      this.#end(error instanceof Error ? error.message : String(error));
    }
  }

  #receiveHead(bytes: Buffer): void {
    const head = Buffer.concat([this.#head ?? Buffer.alloc(0), bytes]);
    const frames = readUpgradeAnswer(head);
    this.#head = frames === 0 ? head : undefined;
    if (frames === 0) return;
    if (this.#options.mode === 'ws') this.#ready();
    if (frames < head.length) this.#reader.push(head.subarray(frames), head.length - frames, this.#take);
  }

  readonly #take = (opcode: number, payload: Buffer): void => {
    if (opcode === OPCODE.close) this.#end('the server sent a close frame');
    else if (opcode === OPCODE.ping) this.#tcp?.write(encodeFrame(payload, OPCODE.pong));
    else if (this.#options.mode === 'socketio') this.#takePacket(payload);
    else this.#options.onMessage?.(payload);
  };

  #takePacket(payload: Buffer): void {
    const kind = payload[0];
    if (kind === code('4')) {
      const type = payload[1];
      if (type === code('2')) this.#options.onMessage?.(payload);
      else if (type === code('3')) this.#takeAck(payload.toString('utf8', 2));
      else this.#takeControl(payload.toString('utf8', 1));
    } else if (kind === code('2')) this.send(PONG);
    else if (kind === code('0')) {
      this.engine = openPacket.parse(JSON.parse(payload.toString('utf8', 1)));
      this.send(`40${this.#nsp}${this.#options.auth ? JSON.stringify(this.#options.auth) : ''}`);
    } else if (kind === code('1')) this.#end('the server closed the session');
  }

  #takeAck(text: string): void {
    const body = text.startsWith(this.#nsp) ? text.slice(this.#nsp.length) : text;
    const list = body.indexOf('[');
    const id = Number(body.slice(0, list));
    const answer: unknown[] = JSON.parse(body.slice(list));
    this.#acks.get(id)?.(answer[0]);
    this.#acks.delete(id);
  }

  #takeControl(text: string): void {
    if (text.startsWith('0')) this.#ready();
    else if (text.startsWith('4')) this.#end(`connection refused: ${text.slice(1)}`);
    else if (text.startsWith('1')) this.#end('the server left the namespace');
  }

  #ready(): void {
    this.#opened?.resolve();
    this.#opened = undefined;
  }

  #end(reason: string, { told } = { told: true }): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#tcp?.destroy();
    const opening = this.#opened;
    this.#opened = undefined;
    for (const settle of this.#acks.values()) settle(new Error(reason));
    this.#acks.clear();
    if (opening) opening.reject(new Error(reason));
    else if (told) this.#options.onEnd?.(reason);
  }
}
