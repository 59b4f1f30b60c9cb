import type { PublishRequest, PublishResponse } from '@fanfare/protocol';

/** An app's events: name → data. */
export type EventMap = Record<string, unknown>;

/** Any of an app's events, with its data. */
export type EventOf<Events> = {
  [Name in keyof Events & string]: { event: Name; data: Events[Name] };
}[keyof Events & string];

/** `ephemeral`: not logged, default false; `conflate`: of an ephemeral one; `namespace`: default that of the publisher. */
type Options = Pick<PublishRequest, 'ephemeral' | 'conflate' | 'namespace'> & {
  /** Idempotency id; default: a random one for this call. The same id is in a room's log once within 10 minutes. */
  id?: string;
  /** Who does not hear it: of a logged event users, of an ephemeral one users or rooms. */
  except?: readonly string[];
};

/** To the members of one room. */
export type ToRoom<Events extends object = EventMap> = Options &
  EventOf<Events> & { room: string; rooms?: never; user?: never };
/** To several rooms; a socket in more than one of them hears it once. */
export type ToRooms<Events extends object = EventMap> = Options &
  EventOf<Events> & { rooms: readonly string[]; room?: never; user?: never };
/** To the inbox of a user, who joins it as `inbox:me`. */
export type ToUser<Events extends object = EventMap> = Options &
  EventOf<Events> & { user: string; room?: never; rooms?: never };
/** An event, and who is to hear it. */
export type Publication<Events extends object = EventMap> = ToRoom<Events> | ToRooms<Events> | ToUser<Events>;

/** Where an event stands in a room's log; of an ephemeral one the epoch is empty and the offset null. */
export type PublishedRoom = PublishResponse['results'][number];
