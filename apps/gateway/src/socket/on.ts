import { type AckResult, AppError, type EventDefinition } from '@fanfare/protocol';
import type { z } from 'zod';
import type { GatewayEvents } from '../events.ts';
import type { GatewaySocket } from './server.ts';

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

/**
 * The one edge of a contract event: parses the payload, calls the handler, and answers the ack with its result or
 * with the error it threw. Nothing a client sends or a handler throws gets past it.
 */
export function on<Payload extends z.ZodType, Data extends z.ZodType>(
  socket: GatewaySocket,
  event: EventDefinition<Payload, Data>,
  options: {
    events: GatewayEvents;
    handle: (payload: z.output<Payload>) => z.input<Data> | Promise<z.input<Data>>;
  },
): void {
  socket.on(event.name, async (...args: unknown[]) => {
    const ack = ackOf(args);
    try {
      const payload = event.payload.safeParse(args[0]);
      if (!payload.success) throw new AppError('invalid_payload', explain(payload.error));
      const data = await options.handle(payload.data);
      ack?.({ ok: true, data });
      if (ack !== undefined) options.events.answered();
    } catch (thrown) {
      const error = AppError.from(thrown);
      options.events.failed(error, { socket: socket.id, event: event.name, namespace: socket.nsp.name });
      ack?.({ ok: false, error: error.toWire() });
    }
  });
}
