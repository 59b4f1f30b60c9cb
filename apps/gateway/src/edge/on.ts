import { type AckResult, AppError, type EventDefinition } from '@fanfare/protocol';
import type { z } from 'zod';
import type { GatewayEvents } from '../events.ts';
import { Json } from '../socket/encoder.ts';
import type { GatewaySocket } from '../socket/server.ts';
import { createTurns } from './turns.ts';

type Ack = (result: AckResult<unknown> | Json) => void;

/** The ack that a client asked for, or undefined: Socket.IO hands it over as the last argument. */
export const ackOf = (args: readonly unknown[]): Ack | undefined => {
  const last = args[args.length - 1];
  return typeof last === 'function' ? (result) => last(result) : undefined;
};

/** What the first complaint about a payload is about, in one sentence. */
const explain = (error: z.ZodError): string => {
  const [issue] = error.issues;
  const where = issue?.path.join('.') ?? '';
  return `${where === '' ? 'The payload' : `"${where}"`}: ${issue?.message ?? 'invalid'}`;
};

/** A last step that has to happen together with the answer: nothing comes between it and the ack. */
type LastStep<Data> = () => Data | Json;

type Handle<Payload extends z.ZodType, Data extends z.ZodType> = (
  socket: GatewaySocket,
  payload: z.output<Payload>,
) => z.input<Data> | Promise<z.input<Data> | LastStep<z.input<Data>>>;

/** The one edge between the clients of a namespace and the handlers of contract events. */
export interface Edge {
  /**
   * From now on a payload of this event is parsed, the handler called, and the ack answered with its result or with the
   * error it threw. Nothing that a client sends or a handler throws gets past it.
   */
  on<Payload extends z.ZodType, Data extends z.ZodType>(
    event: EventDefinition<Payload, Data>,
    handle: Handle<Payload, Data>,
    options?: {
      /** Very many may ask at the same moment: each waits for its turn. Default false. */
      waits?: boolean;
      /** What it does to the rooms of the socket: that happens in the order in which it was asked for. Default nothing. */
      changes?: 'joins' | 'leaves';
    },
  ): void;
  has(event: string): boolean;
  /** An event that a socket has sent; one without a handler is ignored. */
  take(socket: GatewaySocket, packet: readonly [event: string, ...args: unknown[]]): void;
  /** Resolves once every event that the socket has sent so far is answered. */
  settled(socket: GatewaySocket): Promise<void>;
}

export function createEdge(events: GatewayEvents): Edge {
  const takers = new Map<string, (socket: GatewaySocket, args: readonly unknown[]) => Promise<void>>();
  /** Handlers under way, by socket; an idle socket has no entry. */
  const running = new Map<GatewaySocket, Set<Promise<void>>>();
  const turns = createTurns();

  const answer = async <Payload extends z.ZodType>(
    socket: GatewaySocket,
    event: {
      name: string;
      payload: Payload;
      handle: (socket: GatewaySocket, payload: z.output<Payload>) => unknown;
      waits: boolean;
    },
    args: readonly unknown[],
  ): Promise<void> => {
    const ack = ackOf(args);
    const handle = (): unknown => {
      if (!socket.connected) throw new AppError('unavailable', 'The socket is gone');
      const payload = event.payload.safeParse(args[0]);
      if (!payload.success) throw new AppError('invalid_payload', explain(payload.error));
      return event.handle(socket, payload.data);
    };
    try {
      const result = event.waits ? await turns.run('work', handle) : await handle();
      const finish = (): void => {
        // Also when nobody asked for an answer: the last step is what was asked for.
        const data: unknown = typeof result === 'function' ? result() : result;
        ack?.(accepted(data));
      };
      if (typeof result === 'function') await turns.run('answer', finish);
      else finish();
      if (ack !== undefined) events.answered();
    } catch (thrown) {
      const error = AppError.from(thrown);
      events.failed(error, { socket: socket.id, event: event.name, namespace: socket.nsp.name });
      ack?.({ ok: false, error: error.toWire() });
      if (ack !== undefined) events.answered();
    }
  };

  const order = createOrder();
  return {
    on: ({ name, payload }, handle, { waits = false, changes } = {}) => {
      const run = changes === undefined ? runAtOnce : order[changes];
      takers.set(name, (socket, args) =>
        run(socket, () => answer(socket, { name, payload, handle, waits }, args)),
      );
    },
    has: (event) => takers.has(event),
    take: (socket, [event, ...args]) => {
      const taker = takers.get(event);
      if (taker === undefined) return;
      const own = running.get(socket) ?? new Set<Promise<void>>();
      const work = taker(socket, args).finally(() => {
        own.delete(work);
        if (own.size === 0) running.delete(socket);
      });
      running.set(socket, own.add(work));
    },
    settled: async (socket) => {
      await Promise.all(running.get(socket) ?? []);
    },
  };
}

type Run = (socket: GatewaySocket, work: () => Promise<void>) => Promise<void>;

const runAtOnce: Run = (_, work) => work();

/** Joins of a socket go on side by side; a leave waits for those before it, and holds up those after it. */
const createOrder = (): Record<'joins' | 'leaves', Run> => {
  const joining = new WeakMap<GatewaySocket, Set<Promise<void>>>();
  const leaving = new WeakMap<GatewaySocket, Promise<void>>();
  return {
    joins: (socket, work) => {
      const own = joining.get(socket) ?? new Set();
      joining.set(socket, own);
      const join = (leaving.get(socket)?.then(work) ?? work()).finally(() => {
        own.delete(join);
        if (own.size === 0 && joining.get(socket) === own) joining.delete(socket);
      });
      own.add(join);
      return join;
    },
    leaves: (socket, work) => {
      const before = [leaving.get(socket), ...(joining.get(socket) ?? [])];
      joining.delete(socket);
      const leave = Promise.all(before)
        .then(work)
        .finally(() => {
          if (leaving.get(socket) === leave) leaving.delete(socket);
        });
      leaving.set(socket, leave);
      return leave;
    },
  };
};

const accepted = (data: unknown): AckResult<unknown> | Json =>
  data instanceof Json ? new Json(`{"ok":true,"data":${data.text}}`) : { ok: true, data };
