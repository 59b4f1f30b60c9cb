import { formatMark } from '../wire/mark.ts';

/** The event of the delivery rounds. */
export const TICK_EVENT = 'bench:tick';

/** The room of everybody, and the small one of a connection. */
export const EVERYBODY = 'bench:all';
export const smallRoom = (n: number): string => `bench:r${n}`;

/** Bytes of a whole frame on the wire: 4 of header, 227 of payload. */
export const FRAME_BYTES = 231;
const HEADER_BYTES = 4;

/** Digits of the sequence number: always as many, so that every frame has the same size. */
export const SEQ_DIGITS = 10;

interface TickData {
  mark: string;
  pad: string;
}

const payloadOf = (data: TickData): string => `42${JSON.stringify([TICK_EVENT, data])}`;

const markOf = (seq: number): string =>
  formatMark({ stream: 0, seq: 0, at: 0 }).replace('.0.', `.${String(seq).padStart(SEQ_DIGITS, '0')}.`);

const PAD = 'x'.repeat(FRAME_BYTES - HEADER_BYTES - payloadOf({ mark: markOf(0), pad: '' }).length);

/** The argument that the Socket.IO servers emit. */
export const tickData = (seq: number): TickData => ({ mark: markOf(seq), pad: PAD });

/** The same as one Engine.IO message: what the servers without Socket.IO frame by hand. */
export const tickPayload = (seq: number): string => payloadOf(tickData(seq));
