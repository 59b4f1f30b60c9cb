import { type AckResult, AppError, type EventDefinition } from '@fanfare/protocol';
import type { z } from 'zod';
import type { GatewayEvents } from '../events.ts';
import type { GatewaySocket } from './server.ts';
import { createTurns } from './turns.ts';

type Ack = (result: AckResult<unknown>) => void;

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
type LastStep<Data> = () => Data;

/** The one edge between clients and handlers of contract events. */
export interface Edge {
  /**
   * Parses the payload, calls the handler, and answers the ack with its result or with the error it threw. Nothing that
   * a client sends or a handler throws gets past it.
   */
  on<Payload extends z.ZodType, Data extends z.ZodType>(
    socket: GatewaySocket,
    event: EventDefinition<Payload, Data>,
    handle: (payload: z.output<Payload>) => z.input<Data> | Promise<z.input<Data> | LastStep<z.input<Data>>>,
  ): void;
  /** Resolves once every event that the socket has sent so far is answered. */
  settled(socket: GatewaySocket): Promise<void>;
}

export function createEdge(events: GatewayEvents): Edge {
  /** Handlers under way, by socket. */
  const running = new WeakMap<GatewaySocket, Set<Promise<void>>>();
  const turns = createTurns();

  const answer = async <Payload extends z.ZodType>(
    socket: GatewaySocket,
    event: { name: string; payload: Payload; handle: (payload: z.output<Payload>) => unknown },
    args: readonly unknown[],
  ): Promise<void> => {
    const ack = ackOf(args);
    try {
      const payload = event.payload.safeParse(args[0]);
      if (!payload.success) throw new AppError('invalid_payload', explain(payload.error));
      const result: unknown = await event.handle(payload.data);
      if (typeof result === 'function') await turns.run(() => ack?.({ ok: true, data: result() }));
      else ack?.({ ok: true, data: result });
      if (ack !== undefined) events.answered();
    } catch (thrown) {
      const error = AppError.from(thrown);
      events.failed(error, { socket: socket.id, event: event.name, namespace: socket.nsp.name });
      ack?.({ ok: false, error: error.toWire() });
    }
  };

  return {
    on: (socket, { name, payload }, handle) => {
      const own = running.get(socket) ?? new Set<Promise<void>>();
      running.set(socket, own);
      socket.on(name, (...args: unknown[]) => {
        const work = answer(socket, { name, payload, handle }, args).finally(() => own.delete(work));
        own.add(work);
      });
    },
    settled: async (socket) => {
      await Promise.all(running.get(socket) ?? []);
    },
  };
}
