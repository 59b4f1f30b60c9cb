/** WebSocket opcodes that a Socket.IO client meets. */
export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** Called once per whole message; the bytes are only valid during the call. */
export type FrameSink = (opcode: number, payload: Buffer) => void;

/** One masked client frame, as RFC 6455 asks of clients. */
export const encodeFrame = (payload: string | Buffer, opcode: number = OPCODE.text): Buffer => {
  const body = typeof payload === 'string' ? Buffer.from(payload) : payload;
  const size = body.length;
  const extra = size < 126 ? 0 : size < 65_536 ? 2 : 8;
  const frame = Buffer.allocUnsafe(6 + extra + size);
  frame[0] = 0x80 | opcode;
  frame[1] = 0x80 | (extra === 0 ? size : extra === 2 ? 126 : 127);
  if (extra === 2) frame.writeUInt16BE(size, 2);
  if (extra === 8) frame.writeBigUInt64BE(BigInt(size), 2);
  const mask = (Math.random() * 0x1_0000_0000) >>> 0;
  const at = 6 + extra;
  frame.writeUInt32BE(mask, at - 4);
  for (let i = 0; i < size; i++) frame[at + i] = (body[i] ?? 0) ^ ((mask >>> (24 - 8 * (i & 3))) & 0xff);
  return frame;
};

/** One unmasked server frame with a text payload: what the targets send that frame by hand. */
export const encodeServerFrame = (payload: string): Buffer => {
  const size = Buffer.byteLength(payload);
  if (size >= 65_536) throw new RangeError('a target sends frames below 64 KB');
  const head = size < 126 ? Buffer.from([0x81, size]) : Buffer.from([0x81, 126, size >>> 8, size & 0xff]);
  return Buffer.concat([head, Buffer.from(payload)]);
};

/** Bytes of a whole frame from `at`, or 0 while its header is not complete. */
const frameSize = (bytes: Buffer, at: number, end: number): number => {
  if (end - at < 2) return 0;
  const short = bytes.readUInt8(at + 1);
  if (short & 0x80) throw new Error('the server sent a masked frame');
  if (short < 126) return 2 + short;
  if (short === 126) return end - at < 4 ? 0 : 4 + bytes.readUInt16BE(at + 2);
  return end - at < 10 ? 0 : 10 + Number(bytes.readBigUInt64BE(at + 2));
};

const headerSize = (short: number): number => (short < 126 ? 2 : short === 126 ? 4 : 10);

/** Cuts the byte stream of one connection into messages without copying whole frames. */
export class FrameReader {
  #rest: Buffer[] = [];
  #restBytes = 0;
  #needed = 0;
  #fragments: Buffer[] = [];
  #fragmentOpcode = 0;

  /** Reads `length` bytes of a buffer that the caller may reuse afterwards. */
  push(chunk: Buffer, length: number, sink: FrameSink): void {
    if (this.#restBytes === 0) {
      this.#keep(chunk, this.#parse(chunk, length, sink), length);
      return;
    }
    this.#keep(chunk, 0, length);
    if (this.#restBytes < this.#needed) return;
    const whole = Buffer.concat(this.#rest);
    this.#rest = [];
    this.#restBytes = 0;
    this.#keep(whole, this.#parse(whole, whole.length, sink), whole.length);
  }

  #keep(bytes: Buffer, from: number, to: number): void {
    if (from === to) return;
    this.#rest.push(Buffer.from(bytes.subarray(from, to)));
    this.#restBytes += to - from;
  }

  /** Returns where the first incomplete frame starts. */
  #parse(bytes: Buffer, end: number, sink: FrameSink): number {
    let at = 0;
    for (;;) {
      const size = frameSize(bytes, at, end);
      if (size === 0 || at + size > end) {
        this.#needed = size;
        return at;
      }
      const first = bytes.readUInt8(at);
      if (first & 0x70) throw new Error('the server sent a compressed frame that was not agreed on');
      const payload = bytes.subarray(at + headerSize(bytes.readUInt8(at + 1)), at + size);
      const opcode = first & 0x0f;
      if (first & 0x80 && opcode !== OPCODE.continuation) sink(opcode, payload);
      else this.#fragment(first, payload, sink);
      at += size;
    }
  }

  #fragment(first: number, body: Buffer, sink: FrameSink): void {
    const opcode = first & 0x0f;
    if (opcode !== OPCODE.continuation) this.#fragmentOpcode = opcode;
    this.#fragments.push(Buffer.from(body));
    if (!(first & 0x80)) return;
    const fragments = this.#fragments;
    this.#fragments = [];
    sink(this.#fragmentOpcode, Buffer.concat(fragments));
  }
}
