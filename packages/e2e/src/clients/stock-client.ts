import { eventually } from '@fanfare/testing';
import { io, type ManagerOptions, type Socket } from 'socket.io-client';
import { expect } from 'vitest';
import { z } from 'zod';

/** Name of the event that the clients of these tests keep. */
export const TOLD = 'test:told';

const joined = z.object({ ok: z.literal(true) });
const refusal = z.object({ ok: z.literal(false), error: z.object({ retryable: z.literal(true) }) });

/** Wait before a join that was refused for now is asked for again, in ms. */
const AGAIN_MS = 100;

/** A stock client that joins its room whenever it connects, as an app does, and keeps what happens to it. */
export interface Client extends AsyncDisposable {
  readonly socket: Socket;
  /** The data of every `test:told`, in order. */
  readonly heard: readonly unknown[];
  /** The reason of every disconnect. */
  readonly lost: readonly string[];
  /** The message of every attempt to connect that failed. */
  readonly refused: readonly string[];
  /** How often it has joined its room. */
  readonly joins: number;
  /** Id of the node that holds its session. */
  readonly node: string;
  /** Publishes to its room through its socket: logged, and heard by all members. */
  tell(data: unknown): Promise<void>;
  /** Signals to the other members of its room: not logged. */
  signal(data: unknown): Promise<void>;
  /** Resolves when it hears this. */
  hears(data: unknown, options?: { timeoutMs?: number }): Promise<void>;
}

export interface ClientOptions {
  token: string;
  /** Default `test:all`. */
  room?: string;
  /** Default `/`. */
  namespace?: string;
  transports?: ManagerOptions['transports'];
  /** What is waited for: a connection, or membership of the room as well. Default `room`. */
  awaits?: 'connection' | 'room';
}

/** Opens a stock client with stock settings and waits until it is in its room. */
export const openClient = async (url: string, options: ClientOptions): Promise<Client> => {
  const { token, room = 'test:all', namespace = '/', transports, awaits = 'room' } = options;
  const socket = io(url + namespace, {
    auth: { token },
    forceNew: true,
    ...(transports !== undefined && { transports }),
  });
  const seen = { heard: [] as unknown[], lost: [] as string[], refused: [] as string[], joins: 0 };
  socket.on(TOLD, (data) => seen.heard.push(data));
  socket.on('disconnect', (reason) => seen.lost.push(reason));
  socket.on('connect_error', (error) => seen.refused.push(error.message));
  const join = () => {
    socket.emit('room:join', { room }, (answer: unknown) => {
      if (joined.safeParse(answer).success) seen.joins += 1;
      if (refusal.safeParse(answer).success) setTimeout(() => socket.connected && join(), AGAIN_MS);
    });
  };
  socket.on('connect', join);
  const client: Client = {
    socket,
    heard: seen.heard,
    lost: seen.lost,
    refused: seen.refused,
    get joins() {
      return seen.joins;
    },
    get node() {
      return socket.io.engine.id?.slice('12345678901234567890_'.length) ?? '';
    },
    tell: async (data) => {
      const answer = await socket.timeout(5000).emitWithAck('room:publish', { room, event: TOLD, data });
      expect(answer).toMatchObject({ ok: true });
    },
    signal: async (data) => {
      const answer = await socket.timeout(5000).emitWithAck('room:signal', { room, event: TOLD, data });
      expect(answer).toMatchObject({ ok: true });
    },
    hears: (data, { timeoutMs = 5000 } = {}) =>
      eventually(() => expect(seen.heard).toContainEqual(data), { timeoutMs }),
    [Symbol.asyncDispose]: async () => {
      socket.disconnect();
    },
  };
  try {
    const state = () => ({ connected: socket.connected, joins: seen.joins });
    const wanted = awaits === 'room' ? { joins: 1 } : { connected: true };
    await eventually(() => expect(state()).toMatchObject(wanted), { timeoutMs: 10_000 });
  } catch (error) {
    socket.disconnect();
    throw error;
  }
  return client;
};
