import { z } from 'zod';
import { LIMITS } from './limits.ts';
import { eventId, eventName, namespaceName, sharedRoomName, userName } from './names.ts';

const common = {
  event: eventName,
  data: z.unknown(),
  id: eventId.optional(),
  namespace: namespaceName.default('/'),
};

const toRoom = z.strictObject({
  room: sharedRoomName,
  ...common,
  except: z.array(z.string().min(1).max(LIMITS.userLength)).max(LIMITS.roomsPerRequest).optional(),
});
const toUser = z.strictObject({ user: userName, ...common });

/**
 * An event of the outbox: `{room, event, data, id?, namespace?, except?}` for the members of a room, or
 * `{user, event, data, id?, namespace?}` for one user's inbox. It is always logged; `namespace` is `/` by default.
 */
export const outboxEvent = { toRoom, toUser } as const;
