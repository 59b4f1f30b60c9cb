import type { Namespace, Socket } from 'socket.io';
import type { BroadcastOptions } from 'socket.io-adapter';
import { z } from 'zod';
import type { Bus } from '../bus/bus.ts';
import type { BusObserver } from '../bus/observer.ts';
import { keys } from '../keys.ts';
import type { ListenerCount } from '../redis/link.ts';
import { type BusRequest, type BusTarget, REQUEST, readRequest, readResponse } from './bus-messages.ts';
import { guardedEncode } from './msgpack.ts';
import { type Answers, Queries } from './queries.ts';
import { detailsOf, idsOf, withoutUnwritable } from './socket-details.ts';

/** What the adapter does with the sockets of its own node. */
export interface LocalSockets {
  fetch(opts: BroadcastOptions): Promise<unknown[]>;
  join(opts: BroadcastOptions, rooms: string[]): void;
  leave(opts: BroadcastOptions, rooms: string[]): void;
  disconnect(opts: BroadcastOptions, close: boolean): void;
  broadcastWithAck(
    packet: unknown,
    opts: BroadcastOptions,
    clientCountCallback: (clientCount: number) => void,
    ack: (...args: unknown[]) => void,
  ): void;
  rooms(): string[];
}

interface AckCallbacks {
  clientCountCallback: (clientCount: number) => void;
  ack: (...args: unknown[]) => void;
}

/** Longest wait of a query, in ms: a node that hangs delays an answer, it does not prevent it. */
const QUERY_TIMEOUT_MS = 450;
/** Longest wait for the answers of other nodes' own code, in ms; that of the stock adapter. */
const SERVER_SIDE_TIMEOUT_MS = 5000;
/** Acks of a broadcast without a timeout are waited for this long, in ms. */
const DEFAULT_ACK_TIMEOUT_MS = 5000;

/** Requests to and from the other nodes, in the wire format of `@socket.io/redis-adapter` 8.3.0. */
export class ClusterQueries {
  readonly #namespace: Namespace;
  readonly #uid: string;
  readonly #node: string;
  readonly #bus: Bus;
  readonly #local: LocalSockets;
  readonly #observer: BusObserver;
  readonly #livingNodes: () => Promise<readonly string[]>;
  readonly #countListeners: (channel: string) => Promise<ListenerCount>;
  readonly #queries = new Queries();
  readonly #ackCallbacks = new Map<string, AckCallbacks>();
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(options: {
    namespace: Namespace;
    uid: string;
    node: string;
    bus: Bus;
    local: LocalSockets;
    observer: BusObserver;
    livingNodes: () => Promise<readonly string[]>;
    countListeners: (channel: string) => Promise<ListenerCount>;
  }) {
    this.#namespace = options.namespace;
    this.#uid = options.uid;
    this.#node = options.node;
    this.#bus = options.bus;
    this.#local = options.local;
    this.#observer = options.observer;
    this.#livingNodes = options.livingNodes;
    this.#countListeners = options.countListeners;
    const { name } = this.#namespace;
    void this.#bus.listen(keys.requestChannel(name), (message) => this.#onRequest(readRequest(message)));
    for (const channel of this.#responseChannels) {
      void this.#bus.listen(channel, (message) => this.#onResponse(readResponse(message)));
    }
  }

  close(): void {
    this.#bus.unlisten(keys.requestChannel(this.#namespace.name));
    for (const channel of this.#responseChannels) this.#bus.unlisten(channel);
    for (const timer of this.#timers) clearTimeout(timer);
    this.#queries.close();
  }

  /** Never rejects, because Socket.IO does not catch it. */
  async countServers(): Promise<number> {
    return (await this.#count()).count;
  }

  async fetchSockets(opts: BroadcastOptions): Promise<unknown[]> {
    const local = await this.#local.fetch(opts);
    const { answers } = await this.#ask('fetchSockets', {
      send: (requestId) =>
        JSON.stringify({ uid: this.#uid, requestId, type: REQUEST.fetch, opts: targetOf(opts) }),
    });
    const remote = z.array(z.looseObject({ sockets: z.array(z.unknown()) })).parse(answers);
    return [...local, ...remote.flatMap(({ sockets }) => sockets)];
  }

  async allRooms(): Promise<Set<string>> {
    const { answers } = await this.#ask('allRooms', {
      send: (requestId) => JSON.stringify({ uid: this.#uid, requestId, type: REQUEST.allRooms }),
    });
    const remote = z.array(z.looseObject({ rooms: z.array(z.string()) })).parse(answers);
    return new Set([...this.#local.rooms(), ...remote.flatMap(({ rooms }) => rooms)]);
  }

  tellJoin(opts: BroadcastOptions, rooms: string[]): void {
    this.#tell({ type: REQUEST.join, opts: targetOf(opts), rooms: [...rooms] });
  }

  tellLeave(opts: BroadcastOptions, rooms: string[]): void {
    this.#tell({ type: REQUEST.leave, opts: targetOf(opts), rooms: [...rooms] });
  }

  tellDisconnect(opts: BroadcastOptions, close: boolean): void {
    this.#tell({ type: REQUEST.disconnect, opts: targetOf(opts), close });
  }

  serverSideEmit(packet: unknown[]): void {
    const ack = packet[packet.length - 1];
    if (typeof ack !== 'function') {
      this.#tell({ type: REQUEST.serverSideEmit, data: packet });
      return;
    }
    const data = packet.slice(0, -1);
    const send = (requestId: string) =>
      JSON.stringify({ uid: this.#uid, requestId, type: REQUEST.serverSideEmit, data });
    void this.#ask('serverSideEmit', { send, timeoutMs: SERVER_SIDE_TIMEOUT_MS }).then(
      ({ answers, isComplete }) => {
        const values = z.array(z.looseObject({ data: z.unknown() })).parse(answers);
        const late = isComplete ? null : new Error(`timeout reached: ${answers.length} nodes answered`);
        ack(
          late,
          values.map((value) => value.data),
        );
      },
    );
  }

  /** Sends a broadcast whose clients are to answer; forgets it once its time is over. */
  askForAcks(packet: unknown, opts: BroadcastOptions, callbacks: AckCallbacks): void {
    const requestId = `${this.#uid}-${Math.random().toString(36).slice(2)}`;
    this.#ackCallbacks.set(requestId, callbacks);
    this.#after(opts.flags?.timeout ?? DEFAULT_ACK_TIMEOUT_MS, () => this.#ackCallbacks.delete(requestId));
    const request = { uid: this.#uid, requestId, type: REQUEST.broadcast, packet, opts: targetOf(opts) };
    this.#bus.broadcast(keys.requestChannel(this.#namespace.name), guardedEncode(request));
  }

  get #responseChannels(): [all: string, own: string] {
    const all = keys.responseChannel(this.#namespace.name);
    return [all, `${all}${this.#uid}#`];
  }

  #tell(request: object): void {
    this.#bus.publish(
      keys.requestChannel(this.#namespace.name),
      JSON.stringify({ uid: this.#uid, ...request }),
    );
  }

  async #ask(
    name: string,
    question: { send: (requestId: string) => string; timeoutMs?: number },
  ): Promise<Answers> {
    const { count, isComplete } = await this.#count();
    const result = await this.#queries.ask({
      // Some may listen at the server that said nothing: whoever answers in time is taken.
      expected: isComplete ? count - 1 : Number.POSITIVE_INFINITY,
      timeoutMs: question.timeoutMs ?? QUERY_TIMEOUT_MS,
      send: (requestId) =>
        this.#bus.publish(keys.requestChannel(this.#namespace.name), question.send(requestId)),
    });
    if (!result.isComplete) void this.#reportMissing(name, result.answers, isComplete);
    return result;
  }

  /** This node alone when Redis cannot be asked. */
  async #count(): Promise<ListenerCount> {
    const alone = { count: 1, isComplete: true };
    const found = await this.#countListeners(keys.requestChannel(this.#namespace.name)).catch(() => alone);
    return { ...found, count: Math.max(found.count, 1) };
  }

  /** Those of the living who did not answer; whether there are any is not sure when not all could be counted. */
  async #reportMissing(query: string, answers: unknown[], isCounted: boolean): Promise<void> {
    const named = z.array(z.looseObject({ node: z.string().optional() })).safeParse(answers).data ?? [];
    const answered = new Set([this.#node, ...named.flatMap(({ node }) => node ?? [])]);
    const living = await this.#livingNodes().catch(() => undefined);
    const missing = living?.filter((node) => !answered.has(node)) ?? [];
    const mayMiss = isCounted || living === undefined;
    if (mayMiss || missing.length > 0) this.#observer.partialAnswer(query, missing);
  }

  #after(ms: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, ms);
    this.#timers.add(timer);
  }

  #onRequest(request: BusRequest): void {
    // One's own request can come back late, when Redis was away for a while.
    if (request.uid === this.#uid) return;
    switch (request.type) {
      case REQUEST.sockets:
      case REQUEST.fetch:
        this.#answerSockets(request).catch((error: unknown) => this.#observer.publishDropped(error));
        break;
      case REQUEST.allRooms:
        this.#respond(request, { rooms: this.#local.rooms() });
        break;
      case REQUEST.join:
        this.#local.join(toOptions(request.opts), request.rooms);
        break;
      case REQUEST.leave:
        this.#local.leave(toOptions(request.opts), request.rooms);
        break;
      case REQUEST.disconnect:
        this.#local.disconnect(toOptions(request.opts), request.close === true);
        break;
      case REQUEST.serverSideEmit:
        this.#onServerSideEmit(request);
        break;
      case REQUEST.broadcast:
        this.#onAckBroadcast(request);
        break;
    }
  }

  async #answerSockets(request: Extract<BusRequest, { type: 0 | 5 }>): Promise<void> {
    const opts =
      request.type === REQUEST.fetch ? toOptions(request.opts) : toOptions({ rooms: request.rooms });
    const sockets = await this.#local.fetch(opts);
    if (request.type === REQUEST.sockets) {
      this.#respond(request, { sockets: idsOf(sockets) });
      return;
    }
    const details = detailsOf(sockets);
    try {
      this.#respond(request, { sockets: details });
    } catch {
      this.#respond(request, { sockets: details.map(withoutUnwritable) });
    }
  }

  #onServerSideEmit({ requestId, uid, data }: Extract<BusRequest, { type: 6 }>): void {
    if (requestId === undefined) {
      this.#namespace._onServerSideEmit(data);
      return;
    }
    let isAnswered = false;
    const answer = (value: unknown) => {
      if (isAnswered) return;
      isAnswered = true;
      this.#respond({ uid, requestId }, { type: REQUEST.serverSideEmit, data: value });
    };
    this.#namespace._onServerSideEmit([...data, answer]);
  }

  #onAckBroadcast({ requestId, uid, packet, opts }: Extract<BusRequest, { type: 7 }>): void {
    const sent: { id?: number } & typeof packet = { ...packet };
    this.#local.broadcastWithAck(
      sent,
      toOptions(opts),
      (clientCount) => this.#respond({ uid, requestId }, { type: REQUEST.clientCount, clientCount }),
      (value) => this.#respond({ uid, requestId }, { type: REQUEST.ack, packet: value }, guardedEncode),
    );
    // The asking node forgets in time by itself; here nobody else would.
    this.#after(opts.flags?.timeout ?? DEFAULT_ACK_TIMEOUT_MS, () => {
      const { id } = sent;
      if (id !== undefined) for (const socket of this.#namespace.sockets.values()) forgetAck(socket, id);
    });
  }

  #respond(
    to: { uid?: string | undefined; requestId: string },
    answer: object,
    write: (value: unknown) => string | Buffer = JSON.stringify,
  ): void {
    const all = keys.responseChannel(this.#namespace.name);
    const channel = to.uid === undefined ? all : `${all}${to.uid}#`;
    this.#bus.publish(channel, write({ requestId: to.requestId, node: this.#node, ...answer }));
  }

  #onResponse(response: ReturnType<typeof readResponse>): void {
    const callbacks = this.#ackCallbacks.get(response.requestId);
    if (callbacks === undefined) {
      this.#queries.answer(response.requestId, response);
      return;
    }
    if (response.type === REQUEST.clientCount)
      callbacks.clientCountCallback(z.int().parse(response.clientCount));
    if (response.type === REQUEST.ack) callbacks.ack(response.packet);
  }
}

/** `acks` is private in socket.io 4.8.4; a test fails when it moves. */
const forgetAck = (socket: Socket, id: number): void => {
  const acks: unknown = Reflect.get(socket, 'acks');
  if (acks instanceof Map) acks.delete(id);
};

const targetOf = (opts: BroadcastOptions) => ({
  rooms: [...opts.rooms],
  except: [...(opts.except ?? [])],
  flags: opts.flags ?? {},
});

const toOptions = (target: BusTarget): BroadcastOptions => ({
  rooms: new Set(target.rooms.map(String)),
  except: new Set(target.except?.map(String)),
});
