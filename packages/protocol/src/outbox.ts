import { z } from 'zod';
import { LIMITS } from './limits.ts';
import { eventId, eventName, namespaceName, sharedRoomName, userName } from './names.ts';

/** What the text of a PostgreSQL cannot hold would end the transaction of whoever writes it. */
const isStorable = (text: string): boolean => text.isWellFormed() && !text.includes('\0');
const STORABLE = 'PostgreSQL takes whole characters only, and no NUL';

const common = {
  event: eventName,
  data: z.unknown(),
  id: eventId.refine(isStorable, STORABLE).optional(),
  namespace: namespaceName.default('/'),
};

const toRoom = z.strictObject({
  room: sharedRoomName,
  ...common,
  except: z
    .array(z.string().min(1).max(LIMITS.userLength).refine(isStorable, STORABLE))
    .max(LIMITS.roomsPerRequest)
    .optional(),
});
const toUser = z.strictObject({ user: userName.refine(isStorable, STORABLE), ...common });

/**
 * An event of the outbox: `{room, event, data, id?, namespace?, except?}` for the members of a room, or
 * `{user, event, data, id?, namespace?}` for one user's inbox. It is always logged; `namespace` is `/` by default.
 */
export const outboxEvent = { toRoom, toUser } as const;
