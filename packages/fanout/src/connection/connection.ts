import type { Collector } from '../collector.ts';
import type { Broadcast } from '../frames/broadcast.ts';
import {
  type Client,
  type Connection,
  type EncodedPackets,
  isClient,
  isInstrumented,
  type WriteOptions,
} from '../seams.ts';
import { Outbox } from './outbox.ts';

const OUTBOX = Symbol('outbox');
const BROADCAST = Symbol('broadcast');
const STOCK_WRITE = Symbol('stock write');
const STOCK_CLOSE = Symbol('stock close');

type SeatedConnection = Connection & {
  readonly [OUTBOX]: Outbox;
  readonly [STOCK_CLOSE]: Connection['close'];
};
type SeatedClient = Client & {
  readonly [OUTBOX]: Outbox;
  readonly [STOCK_WRITE]: Client['writeToEngine'];
};

interface Marked extends WriteOptions {
  [BROADCAST]?: Broadcast;
}

/** Marks the options that an adapter hands to writeToEngine() with every packet of a broadcast. */
export function markBroadcast(options: Marked, broadcast: Broadcast): void {
  options[BROADCAST] = broadcast;
}

/** The outbox of an engine.io connection, or of the socket.io client on it. */
export function outboxOf(owner: object): Outbox | null {
  return OUTBOX in owner && owner[OUTBOX] instanceof Outbox ? owner[OUTBOX] : null;
}

/** Gives the connection of a client an outbox, unless it has one or somebody counts on its methods. */
export function attachOutbox(client: object, collector: Collector): Outbox | null {
  const known = outboxOf(client);
  if (known !== null || isInstrumented(client, 'writeToEngine') || !isClient(client)) return known;
  const { conn, writeToEngine } = client;
  if (isInstrumented(conn, 'send', 'write', 'sendPacket', 'flush', 'close')) return null;
  const outbox = new Outbox(conn, collector);
  collector.watch(conn.server);
  conn.on('packetCreate', touch);
  conn.on('newListener', touch);
  Object.assign(conn, { [OUTBOX]: outbox, [STOCK_CLOSE]: conn.close, close });
  Object.assign(client, { [OUTBOX]: outbox, [STOCK_WRITE]: writeToEngine, writeToEngine: writeOrCollect });
  return outbox;
}

function writeOrCollect(this: SeatedClient, packets: EncodedPackets, options: Marked): void {
  const broadcast = options[BROADCAST];
  if (broadcast !== undefined) {
    const outbox = this[OUTBOX];
    if (options.volatile && !this.conn.transport.writable) return;
    if (outbox.append(broadcast)) return;
    outbox.collector.stockDeliveries++;
  }
  this[STOCK_WRITE](packets, options);
}

/** Stock waits with closing for the packets in its queue. */
function close(this: SeatedConnection, discard?: boolean): void {
  this[OUTBOX].yield();
  this[STOCK_CLOSE](discard);
}

function touch(this: SeatedConnection): void {
  this[OUTBOX].touch();
}
