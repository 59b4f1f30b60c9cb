import { AppError, checkLoggable, outboxEvent } from '@fanfare/protocol';
import { PublishError } from '../error.ts';
import type { EventMap, EventOf } from '../publication.ts';

type Options = {
  /** What clients hear as `meta.id`; default: a random one. The same id is in a room's log once within 10 minutes. */
  id?: string;
  /** Default `/`. */
  namespace?: string;
};

/** An event for the members of a room. */
export type OutboxToRoom<Events extends object = EventMap> = Options &
  EventOf<Events> & {
    room: string;
    /** Users who do not hear it. */
    except?: readonly string[];
    user?: never;
  };
/** An event for one user's inbox. */
export type OutboxToUser<Events extends object = EventMap> = Options &
  EventOf<Events> & { user: string; room?: never; except?: never };
export type OutboxEvent<Events extends object = EventMap> = OutboxToRoom<Events> | OutboxToUser<Events>;

/** A row as the table takes it: its keys are the columns. */
export interface OutboxRow {
  namespace: string;
  room?: string | undefined;
  recipient?: string | undefined;
  event: string;
  /** As JSON. */
  data: string;
  event_id?: string | undefined;
  excepted?: readonly string[] | undefined;
}

const refuse = (place: string, error: { message: string; code?: AppError['code'] }) =>
  new PublishError({
    code: error.code ?? 'invalid_payload',
    message: `${place}: ${error.message}`,
    retryable: false,
  });

/** The row of an event; throws a `PublishError` for what could never be told. */
export const toRow = (event: OutboxEvent, place: string): OutboxRow => {
  const { user, ...rest } = event;
  const given = user === undefined ? rest : event;
  const parsed = (user === undefined ? outboxEvent.toRoom : outboxEvent.toUser).safeParse(given);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw refuse(place, { message: `"${issue?.path.join('.')}": ${issue?.message}` });
  }
  try {
    checkLoggable(parsed.data.data);
  } catch (error) {
    throw refuse(place, AppError.from(error));
  }
  const { namespace, event: name, data, id } = parsed.data;
  const row = { namespace, event: name, data: JSON.stringify(data) ?? 'null', event_id: id };
  return 'room' in parsed.data
    ? { ...row, room: parsed.data.room, excepted: parsed.data.except }
    : { ...row, recipient: parsed.data.user };
};
