import { z } from 'zod';
import { presenceChange, presenceMember } from '../presence/store.ts';

/** Marks what workers and their primary say of presence among all that they tell each other. */
export const PRESENCE_SOURCE = 'fanfare:presence';

/** Whether a message is about presence: broadcasts come the same way and are many. */
export const isAboutPresence = (message: unknown): boolean =>
  typeof message === 'object' &&
  message !== null &&
  'source' in message &&
  message.source === PRESENCE_SOURCE;

const source = z.literal(PRESENCE_SOURCE);
const place = z.object({ namespace: z.string(), room: z.string() });
/** Comes back with the answer. */
const request = z.int();

/** What a worker says, as the methods of a `PresenceStore` do. */
export const fromWorker = z.discriminatedUnion('kind', [
  z.object({ source, kind: z.literal('hold'), place, member: presenceMember }),
  z.object({ source, kind: z.literal('release'), place, user: z.string() }),
  z.object({ source, kind: z.literal('listen'), place, request }),
  z.object({ source, kind: z.literal('unlisten'), place }),
  z.object({
    source,
    kind: z.literal('read'),
    place,
    page: z.object({ after: z.string().optional(), limit: z.int() }),
    request,
  }),
  z.object({ source, kind: z.literal('end'), graceMs: z.number() }),
]);
export type FromWorker = z.infer<typeof fromWorker>;

const page = z.object({
  members: z.array(presenceMember),
  count: z.int(),
  version: z.number(),
  next: z.string().optional(),
});

/** What the primary says. */
export const fromPrimary = z.discriminatedUnion('kind', [
  z.object({ source, kind: z.literal('changed'), place, change: presenceChange }),
  z.object({ source, kind: z.literal('answer'), request, page: page.optional() }),
]);
export type FromPrimary = z.infer<typeof fromPrimary>;
