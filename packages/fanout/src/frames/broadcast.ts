import type { EncodedPackets } from '../seams.ts';

const FIN_TEXT = 0x81;
const FIN_BINARY = 0x82;

interface EnginePacket {
  readonly type: 'message';
  readonly data: unknown;
  readonly options: { readonly compress: boolean; readonly wsPreEncodedFrame?: Buffer[] };
}

/** One encoded packet on its way to many connections; framed at most once. */
export class Broadcast {
  readonly packets: EncodedPackets;
  /** Attachments are binary frames, which an Engine.IO 3 or base64 connection does not take as they are. */
  readonly hasBinary: boolean;
  /** It may be lost: by who does not keep up. */
  isDroppable = false;
  /** While it waits, a newer one with the same key takes its place. */
  key: string | null = null;
  readonly #stockFrame: unknown;
  #frame: Buffer | null = null;

  private constructor(packets: EncodedPackets, hasBinary: boolean, stockFrame: unknown) {
    this.packets = packets;
    this.hasBinary = hasBinary;
    this.#stockFrame = stockFrame;
  }

  /**
   * Returns null for what a parser may return beside text and bytes (a Blob, a promise).
   * @param stockFrame the frame of a text packet that the adapter may have made already, as a list of buffers
   */
  static of(packets: EncodedPackets, stockFrame?: unknown): Broadcast | null {
    if (!Array.isArray(packets) || packets.length === 0) return null;
    let hasBinary = false;
    for (const packet of packets) {
      if (typeof packet === 'string') continue;
      if (!isBytes(packet)) return null;
      hasBinary = true;
    }
    return new Broadcast(packets, hasBinary, stockFrame);
  }

  /**
   * The websocket frames of the packet, one after another. Reads the attachments when first called: the
   * application may write into its buffers as soon as emit() has returned.
   */
  get frame(): Buffer {
    this.#frame ??= this.#toFrame();
    return this.#frame;
  }

  /** What stock queues in the connection: engine.io 6.6.11 sends a text frame that is there as it is. */
  toEnginePackets(): EnginePacket[] {
    const [first] = this.packets;
    const isText = this.packets.length === 1 && typeof first === 'string';
    const options = { compress: true, ...(isText && { wsPreEncodedFrame: [this.frame] }) };
    return this.packets.map((data) => ({ type: 'message', data, options }));
  }

  #toFrame(): Buffer {
    if (this.packets.length > 1) return Buffer.concat(this.packets.map(toFrame));
    // Copying is a third of encoding the text once more.
    const isReady = Array.isArray(this.#stockFrame) && this.#stockFrame.every(Buffer.isBuffer);
    return isReady ? Buffer.concat(this.#stockFrame) : toFrame(this.packets[0]);
  }
}

function isBytes(value: unknown): value is ArrayBuffer | ArrayBufferView {
  return value instanceof ArrayBuffer || ArrayBuffer.isView(value);
}

/** The websocket frame of one Engine.IO message. */
export function toFrame(packet: unknown): Buffer {
  if (typeof packet === 'string') {
    // "4" is the type "message" of the Engine.IO protocol.
    const payload = `4${packet}`;
    const length = Buffer.byteLength(payload);
    const frame = openFrame(FIN_TEXT, length);
    frame.write(payload, frame.length - length);
    return frame;
  }
  if (!isBytes(packet)) throw new TypeError('a packet is text or bytes');
  const frame = openFrame(FIN_BINARY, packet.byteLength);
  const bytes =
    packet instanceof ArrayBuffer
      ? new Uint8Array(packet)
      : new Uint8Array(packet.buffer, packet.byteOffset, packet.byteLength);
  frame.set(bytes, frame.length - bytes.length);
  return frame;
}

/** Allocates a frame of a server (RFC 6455, section 5.2: not masked) with its header written. */
function openFrame(opcode: number, length: number): Buffer {
  if (length < 126) {
    const frame = Buffer.allocUnsafe(2 + length);
    frame[1] = length;
    frame[0] = opcode;
    return frame;
  }
  const isShort = length < 65_536;
  const frame = Buffer.allocUnsafe((isShort ? 4 : 10) + length);
  frame[0] = opcode;
  frame[1] = isShort ? 126 : 127;
  if (isShort) frame.writeUInt16BE(length, 2);
  else frame.writeBigUInt64BE(BigInt(length), 2);
  return frame;
}
