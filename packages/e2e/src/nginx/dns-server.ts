import { createSocket } from 'node:dgram';
import { once } from 'node:events';

const TYPE_A = 1;
const CLASS_IN = 1;
const HEADER_BYTES = 12;
const RESPONSE_OK = 0x8180;
const RESPONSE_UNKNOWN_NAME = 0x8183;

/** Answers the A questions of nginx's resolver, in the place of Docker's or a cluster's DNS. */
export class DnsServer implements AsyncDisposable {
  /** Name → IPv4 addresses; may change at any time. */
  readonly names = new Map<string, readonly string[]>();
  /** Every name that was asked for. */
  readonly asked = new Set<string>();
  readonly #socket = createSocket('udp4');

  static async start(): Promise<DnsServer> {
    const server = new DnsServer();
    server.#socket.bind(0, '127.0.0.1');
    await once(server.#socket, 'listening');
    return server;
  }

  private constructor() {
    this.#socket.on('message', (query, { port, address }) => {
      this.#socket.send(this.#answer(query), port, address);
    });
  }

  get port(): number {
    return this.#socket.address().port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await once(this.#socket, 'close');
  }

  #answer(query: Buffer): Buffer {
    const { name, end } = questionOf(query);
    this.asked.add(name);
    const addresses = this.names.get(name);
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt16BE(query.readUInt16BE(0), 0);
    header.writeUInt16BE(addresses ? RESPONSE_OK : RESPONSE_UNKNOWN_NAME, 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(addresses?.length ?? 0, 6);
    return Buffer.concat([header, query.subarray(HEADER_BYTES, end), ...(addresses ?? []).map(recordOf)]);
  }
}

const questionOf = (query: Buffer): { name: string; end: number } => {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += length + 1;
  }
  // The root label, the type and the class.
  return { name: labels.join('.'), end: at + 5 };
};

const recordOf = (address: string): Buffer => {
  const record = Buffer.alloc(16);
  // A pointer to the name in the question.
  record.writeUInt16BE(0xc000 | HEADER_BYTES, 0);
  record.writeUInt16BE(TYPE_A, 2);
  record.writeUInt16BE(CLASS_IN, 4);
  record.writeUInt32BE(1, 6);
  record.writeUInt16BE(4, 10);
  record.set(address.split('.').map(Number), 12);
  return record;
};
