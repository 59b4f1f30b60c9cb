import * as msgpack from 'socket.io-msgpack-parser';
import type { World } from './stage.ts';

const CONNECTS = ['40', '40/b,'];
const encoder = new msgpack.Encoder();
const MSGPACK_CONNECTS = ['/', '/b'].map((nsp) =>
  Buffer.concat([encoder.encode({ type: 0, nsp })].flat().map((part) => new Uint8Array(part))),
);

/** The surroundings in which a decorated server is compared with stock, and how many of the programs each gets. */
export const WORLDS: Readonly<Record<string, { readonly share: number; readonly world: World }>> = {
  'the default parser': {
    share: 0.4,
    world: {
      server: {},
      clients: {
        w1: 'websocket',
        w2: 'websocket',
        w3: 'websocket',
        polling: 'polling',
        upgrading: 'upgrading',
      },
      connects: CONNECTS,
    },
  },
  'a bound of 200 pending bytes': {
    share: 0.15,
    world: {
      server: {},
      fanout: { maxPendingBytes: 200 },
      clients: { w1: 'websocket', w2: 'websocket' },
      connects: CONNECTS,
    },
  },
  'the msgpack parser': {
    share: 0.15,
    world: {
      server: { parser: msgpack },
      clients: { w1: 'websocket', w2: 'websocket', polling: 'polling' },
      connects: MSGPACK_CONNECTS,
    },
  },
  'per-message deflate': {
    share: 0.15,
    world: {
      // With a context that is kept, the session id in the first packet would differ in each that follows.
      server: { perMessageDeflate: { threshold: 0, serverNoContextTakeover: true } },
      clients: { w1: 'websocket', w2: 'websocket', deflated: 'deflated' },
      connects: CONNECTS,
    },
  },
  'connection state recovery': {
    share: 0.15,
    world: {
      server: { connectionStateRecovery: { maxDisconnectionDuration: 60_000 } },
      clients: { w1: 'websocket', w2: 'websocket', polling: 'polling' },
      connects: CONNECTS,
      normalize: withoutOffset,
    },
  },
};

/** The offset at the end of a recoverable packet is the time, so it differs on two servers, and so may its length. */
function withoutOffset(seen: string): string {
  const code = seen.charCodeAt(0);
  const length = seen.charCodeAt(1);
  const start = code < 0x80 ? 0 : length === 127 ? 10 : length === 126 ? 4 : 2;
  return `${start > 0 ? code : ''}${seen.slice(start).replace(/,"[\w-]{6,8}(\.[\w-]+)?"(?=\]$)/, ',OFFSET')}`;
}
