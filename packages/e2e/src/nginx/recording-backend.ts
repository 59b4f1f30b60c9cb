import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';

const WEBSOCKET_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** A real HTTP server in a gateway's or the api's place that keeps what arrives and answers with its name. */
export class RecordingBackend implements AsyncDisposable {
  readonly name: string;
  readonly requests: IncomingMessage[] = [];
  /** Replaces the answer, which is otherwise 200 and the name. */
  answer: RequestListener = (_request, response) => response.end(this.name);
  readonly #server = createServer((request, response) => {
    this.requests.push(request);
    this.answer(request, response);
  });

  static async start(options: { name: string; host?: string; port?: number }): Promise<RecordingBackend> {
    const backend = new RecordingBackend(options.name);
    backend.#server.listen(options.port ?? 0, options.host ?? '127.0.0.1');
    await once(backend.#server, 'listening');
    return backend;
  }

  private constructor(name: string) {
    this.name = name;
    this.#server.on('upgrade', (request, socket) => {
      this.requests.push(request);
      const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}${WEBSOCKET_GUID}`);
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
          `Sec-WebSocket-Accept: ${accept.digest('base64')}\r\n\r\n`,
      );
      // One unmasked text frame.
      socket.end(Buffer.concat([Buffer.from([0x81, name.length]), Buffer.from(name)]));
    });
  }

  get port(): number {
    // A server that listens on TCP has an AddressInfo.
    return (this.#server.address() as AddressInfo).port;
  }

  /** As after kill -9: its port refuses connections and those it had are cut. */
  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
