import { hrtime } from 'node:process';

/**
 * What the load generator writes into a message to recognise it at the other end:
 * `"mark":"<stream>.<seq>.<at>"`. `seq` counts from 1 within a stream; `at` is the time at which the
 * message should have been sent, in µs of the machine's monotonic clock (0: not timed).
 */
export interface Mark {
  stream: number;
  seq: number;
  at: number;
}

const KEY = Buffer.from('"mark":"');
const DOT = 0x2e;

/** Now, in µs of the monotonic clock, which all processes of one machine share. */
export const monotonicMicros = (): number => Math.floor(Number(hrtime.bigint()) / 1_000);

/** The mark as the value of the `mark` field. */
export const formatMark = ({ stream, seq, at }: Mark): string => `${stream}.${seq}.${at}`;

/** Finds the mark in the bytes of a packet and writes it into `into`; false when there is none. */
export const readMark = (bytes: Buffer, into: Mark): boolean => {
  const found = bytes.indexOf(KEY);
  if (found === -1) return false;
  let at = found + KEY.length;
  const number = (): number => {
    let value = 0;
    for (; at < bytes.length; at++) {
      const digit = (bytes[at] ?? 0) - 0x30;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    return value;
  };
  into.stream = number();
  if (bytes[at++] !== DOT) return false;
  into.seq = number();
  if (bytes[at++] !== DOT) return false;
  into.at = number();
  return true;
};
