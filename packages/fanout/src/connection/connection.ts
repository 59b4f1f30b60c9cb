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

/** The broadcast that a packet with these options belongs to. */
export function broadcastOf(options: Marked): Broadcast | undefined {
  return options[BROADCAST];
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
  const { collector } = this[OUTBOX];
  if (options.volatile && !this.conn.transport.writable) {
    collector.volatileDropped++;
    return;
  }
  if (broadcast !== undefined) {
    if (this[OUTBOX].append(broadcast)) return;
    collector.stockDeliveries++;
  }
  const { conn } = this;
  const { backlogs } = collector;
  if (backlogs !== null && conn.writeBuffer.length > 0 && !backlogs.admits(conn, broadcast, options)) return;
  this[STOCK_WRITE](packets, options);
}

/** Has a connection watched that something waits for, whoever wrote it. */
export function watchWaiting(client: object, collector: Collector): void {
  if (collector.backlogs === null || !isClient(client) || client.conn.writeBuffer.length === 0) return;
  attachOutbox(client, collector);
  collector.backlogs.check(client.conn);
}

/** Stock waits with closing for the packets in its queue. */
function close(this: SeatedConnection, discard?: boolean): void {
  this[OUTBOX].yield();
  this[STOCK_CLOSE](discard);
}

function touch(this: SeatedConnection): void {
  this[OUTBOX].touch();
}
