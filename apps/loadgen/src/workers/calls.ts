import type { HistogramCounts } from '../measure/histogram.ts';
import type { DeliveryCount } from '../measure/sequence.ts';
import type { EngineSettings, WireMode } from '../wire/raw-socket.ts';

/** Message of an error → how often it came. */
export type Failures = Record<string, number>;

/** Connections that one worker process shall open. Connection n hears stream n modulo `streams`. */
export interface ConnectOrder {
  /** Name by which later calls mean these connections. */
  group: string;
  /** Where to connect; several are taken in turn within each stream. */
  servers: readonly { host: string; port: number }[];
  mode: WireMode;
  namespace?: string;
  count: number;
  /** Number of the first connection, and the step to the next: workers share one numbering. */
  first: number;
  step: number;
  streams: number;
  /** How many may be opening at a time. */
  concurrency: number;
  /** Ramp: connections started per second; without it the next one starts when one is open. */
  perSecond?: number;
  /** A token for all, or the secret to sign one for each. */
  token?: string;
  tokenSecret?: string;
  /** Room to join by `room:join`; `{n}` is the connection's stream. */
  join?: string;
  /** Source addresses, taken in turn. */
  localAddresses?: string[];
}

export interface ConnectResult {
  opened: number;
  failures: Failures;
  /** From the first start to the last one open. */
  ms: number;
  engine?: EngineSettings;
  /** Per connection, from the TCP connect to the last answer (namespace, room). */
  openMicros: HistogramCounts;
}

/** Publishing of one worker: the rooms whose number is `first`, `first + step`, … below `streams`. */
export interface PublishOrder {
  via: 'http' | 'socket';
  /** Base address of the API (`http`) or of a gateway (`socket`). */
  url: string;
  /** API key (`http`) or token (`socket`). */
  credential: string;
  namespace: string;
  /** `{n}` is the number of the stream. */
  room: string;
  streams: number;
  first: number;
  step: number;
  event: string;
  /** Size of `data` as JSON; at least what the mark needs. */
  dataBytes: number;
  /** Messages per second of this worker, all its rooms together. */
  perSecond: number;
  rampMs: number;
  durationMs: number;
}

/** What was sent in a stream: its last sequence number and those that the server refused. */
export interface Sent {
  last: number;
  refused: number[];
}

export interface PublishResult {
  accepted: number;
  failures: Failures;
  streams: Record<number, Sent>;
  /** From the time at which it should have been sent to the answer. */
  ackMicros: HistogramCounts;
}

export interface CollectOrder {
  group: string;
  /** What each stream should have brought; a stream that is not named brought nothing. */
  streams: Record<number, Sent>;
  /** How long to wait for what is still under way. */
  waitMs: number;
}

export interface CollectResult extends DeliveryCount {
  /** Messages of a stream that the socket should not hear. */
  misdirected: number;
  /** Payload bytes of the marked messages, without WebSocket headers. */
  payloadBytes: number;
  /** Connections that the server or the network ended, by reason; they count as neither heard nor lost. */
  ended: Failures;
  latencyMicros: HistogramCounts;
}

export interface Progress {
  open: number;
  received: number;
  published: number;
}

/** What the coordinator asks of a load worker, and what it answers. */
export interface Calls {
  connect: { order: ConnectOrder; result: ConnectResult };
  publish: { order: PublishOrder; result: PublishResult };
  collect: { order: CollectOrder; result: CollectResult };
  progress: { order: null; result: Progress };
  close: { order: { group: string }; result: null };
}

export type CallName = keyof Calls;

/** A call on its way to a worker. */
export type Request = {
  [Name in CallName]: { id: number; name: Name; order: Calls[Name]['order'] };
}[CallName];

/** Its answer. */
export type Response = { id: number; result: unknown } | { id: number; error: string };
