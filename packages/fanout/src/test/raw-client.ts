import { type Agent, request } from 'node:http';
import type { Socket as TcpSocket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { WebSocket } from 'ws';

/** A client that speaks Engine.IO by hand and keeps all it is sent, in order. */
export interface RawClient {
  /** What has arrived since the last call: the frames of a websocket, each byte, or the packets of a polling client. */
  take(): string[];
  /** Resolves when the Engine.IO message has arrived, or the connection is gone. */
  until(message: string): Promise<void>;
  send(packet: string | Uint8Array): void;
  readonly isClosed: boolean;
  close(): void;
}

export interface RawClientOptions {
  readonly port: number;
  readonly name: string;
  readonly isDeflated?: boolean;
  /** Parameters of the handshake beside the transport and the name; default: `EIO=4`. */
  readonly query?: string;
  /** Makes the connection a secure one. */
  readonly tls?: ConnectionOptions;
  /** Sees each packet, to answer it. */
  readonly onPacket?: (packet: string | Buffer, client: RawClient) => void;
}

/** Waits for packets, by their text; binary packets are kept as base64. */
class Inbox {
  readonly #waiting = new Map<string, () => void>();
  readonly #seen = new Set<string>();
  isClosed = false;

  until(message: string): Promise<void> {
    const packet = `4${message}`;
    if (this.isClosed || this.#seen.delete(packet)) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.set(packet, resolve));
  }

  arrived(packet: string): void {
    const resolve = this.#waiting.get(packet);
    this.#waiting.delete(packet);
    if (resolve !== undefined) resolve();
    else if (packet.startsWith('4end')) this.#seen.add(packet);
  }

  closed(): void {
    this.isClosed = true;
    for (const resolve of this.#waiting.values()) resolve();
    this.#waiting.clear();
  }
}

export class WebSocketClient implements RawClient {
  readonly #webSocket: WebSocket;
  readonly #inbox = new Inbox();
  #bytes: Buffer[] = [];
  #stream: TcpSocket | null = null;

  private constructor(webSocket: WebSocket, options: RawClientOptions) {
    this.#webSocket = webSocket;
    webSocket.on('message', (data: Buffer, isBinary) => {
      const packet = isBinary ? data : data.toString();
      options.onPacket?.(packet, this);
      if (packet === '2') this.send('3');
      this.#inbox.arrived(isBinary ? data.toString('base64') : data.toString());
    });
    webSocket.on('close', () => this.#inbox.closed());
    webSocket.on('error', () => this.#inbox.closed());
  }

  static async connect(options: RawClientOptions): Promise<WebSocketClient> {
    const { port, name, query = 'EIO=4', tls } = options;
    const url = `ws${tls === undefined ? '' : 's'}://127.0.0.1:${port}/socket.io/?${query}&transport=websocket&name=${name}`;
    const webSocket = new WebSocket(url, {
      perMessageDeflate: options.isDeflated ?? false,
      ...tls,
    });
    const client = new WebSocketClient(webSocket, options);
    const stream = await new Promise<TcpSocket>((resolve, reject) => {
      let tcp: TcpSocket | undefined;
      webSocket.once('upgrade', (response) => {
        tcp = response.socket;
      });
      webSocket.once('open', () => (tcp ? resolve(tcp) : reject(new Error('opened without an upgrade'))));
      webSocket.once('error', reject);
    });
    client.#stream = stream;
    stream.on('data', (chunk) => client.#bytes.push(chunk));
    return client;
  }

  get isClosed(): boolean {
    return this.#inbox.isClosed;
  }

  take(): string[] {
    const bytes = Buffer.concat(this.#bytes);
    this.#bytes = [];
    return splitFrames(bytes).map((frame) => frame.toString('latin1'));
  }

  until(message: string): Promise<void> {
    return this.#inbox.until(message);
  }

  send(packet: string | Uint8Array): void {
    this.#webSocket.send(packet);
  }

  ping(): void {
    this.#webSocket.ping();
  }

  /** Stops reading, so that the server's socket fills up. */
  pause(): void {
    this.#webSocket.pause();
  }

  resume(): void {
    this.#webSocket.resume();
  }

  close(): void {
    this.#webSocket.terminate();
  }

  /** Resets the TCP connection. */
  abort(): void {
    this.#stream?.resetAndDestroy();
  }
}

function splitFrames(bytes: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  for (let start = 0; start < bytes.length; ) {
    const short = bytes.readUInt8(start + 1);
    let end = start + 2 + short;
    if (short === 126) end = start + 4 + bytes.readUInt16BE(start + 2);
    if (short === 127) end = start + 10 + Number(bytes.readBigUInt64BE(start + 2));
    frames.push(bytes.subarray(start, end));
    start = end;
  }
  return frames;
}

export interface PollingClientOptions extends RawClientOptions {
  readonly agent: Agent;
}

export class PollingClient implements RawClient {
  readonly #options: PollingClientOptions;
  readonly #inbox = new Inbox();
  #sid = '';
  #packets: string[] = [];
  #poll: Promise<void> = Promise.resolve();
  #isPaused = false;
  #webSocket: WebSocket | null = null;

  private constructor(options: PollingClientOptions) {
    this.#options = options;
  }

  static async connect(options: PollingClientOptions): Promise<PollingClient> {
    const client = new PollingClient(options);
    const open = await client.#request('GET');
    client.#sid = JSON.parse(open.slice(1)).sid;
    client.#poll = client.#pollOn();
    return client;
  }

  get isClosed(): boolean {
    return this.#inbox.isClosed;
  }

  take(): string[] {
    const packets = this.#packets;
    this.#packets = [];
    return packets;
  }

  until(message: string): Promise<void> {
    return this.#inbox.until(message);
  }

  send(packet: string | Uint8Array): void {
    const text = typeof packet === 'string' ? packet : `b${Buffer.from(packet).toString('base64')}`;
    if (this.#webSocket !== null) this.#webSocket.send(packet);
    else void this.#request('POST', text).catch(() => this.#inbox.closed());
  }

  /** Moves to a websocket as the protocol wants it: probe, pause polling, upgrade. */
  async upgrade(): Promise<void> {
    const query = `EIO=4&transport=websocket&sid=${this.#sid}`;
    const webSocket = new WebSocket(`ws://127.0.0.1:${this.#options.port}/socket.io/?${query}`, {
      perMessageDeflate: false,
    });
    const isProbed = await new Promise<boolean>((resolve) => {
      webSocket.once('open', () => webSocket.send('2probe'));
      webSocket.once('message', () => resolve(true));
      webSocket.once('close', () => resolve(false));
      webSocket.once('error', () => resolve(false));
    });
    if (!isProbed || this.isClosed) return webSocket.terminate();
    this.#isPaused = true;
    await this.#poll;
    webSocket.on('message', (data: Buffer, isBinary) => {
      this.#arrived(isBinary ? `b${data.toString('base64')}` : data.toString());
    });
    webSocket.on('close', () => this.#inbox.closed());
    this.#webSocket = webSocket;
    webSocket.send('5');
  }

  close(): void {
    this.#isPaused = true;
    this.#inbox.closed();
    this.#webSocket?.terminate();
  }

  async #pollOn(): Promise<void> {
    while (!this.isClosed && !this.#isPaused) {
      const payload = await this.#request('GET').catch(() => null);
      if (payload === null) this.#inbox.closed();
      else for (const packet of payload.split('\x1e')) this.#arrived(packet);
    }
  }

  #arrived(packet: string): void {
    if (packet === '6') return;
    this.#packets.push(packet);
    const isBinary = packet.startsWith('b');
    this.#options.onPacket?.(isBinary ? Buffer.from(packet.slice(1), 'base64') : packet, this);
    if (packet === '2') this.send('3');
    if (packet === '1') this.#inbox.closed();
    this.#inbox.arrived(packet);
  }

  #request(method: 'GET' | 'POST', body = ''): Promise<string> {
    const { port, name, agent } = this.#options;
    const sid = this.#sid === '' ? '' : `&sid=${this.#sid}`;
    const path = `/socket.io/?EIO=4&transport=polling&name=${name}${sid}`;
    return new Promise((resolve, reject) => {
      const outgoing = request({ host: '127.0.0.1', port, path, method, agent }, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => (response.statusCode === 200 ? resolve(text) : reject(new Error(text))));
        response.on('error', reject);
      });
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }
}
