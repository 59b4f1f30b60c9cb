import type { z } from 'zod';
import type { WireError } from '../errors.ts';

/** A client → gateway event: one definition gives the types, the validation, the ack and the docs row. */
export interface EventDefinition<Payload extends z.ZodType, Ack extends z.ZodType> {
  readonly name: string;
  readonly payload: Payload;
  readonly ack: Ack;
}

/** Defines an event that clients send: its payload and the data of its ack, as zod schemas. */
export const defineEvent = <Payload extends z.ZodType, Ack extends z.ZodType>(
  name: string,
  schemas: { payload: Payload; ack: Ack },
): EventDefinition<Payload, Ack> => ({ name, ...schemas });

/** The one shape of every ack. */
export type AckResult<Data> = { ok: true; data: Data } | { ok: false; error: WireError };
