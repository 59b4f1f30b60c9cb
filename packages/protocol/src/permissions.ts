import { z } from 'zod';
import { LIMITS } from './limits.ts';
import { userName } from './names.ts';

export const ROOM_ACTIONS = ['join', 'publish', 'signal', 'presence'] as const;
export type RoomAction = (typeof ROOM_ACTIONS)[number];

/** A pattern of rooms: `project:*` (one segment each), `project:**` (the rest), `**` (every room). What can match no room is refused. */
export const roomPattern = z
  .string()
  .max(LIMITS.roomBytes)
  .regex(
    /^(\*\*|(\*|[a-z][a-z0-9-]*)((:(\*|[A-Za-z0-9_-]{1,64})){1,3}|(:(\*|[A-Za-z0-9_-]{1,64})){0,2}:\*\*))$/,
    'a room pattern looks like "project:*" or "project:**"',
  );

/** `*` stands for a whole segment and `**` for the rest: `mess*` would look right and match nothing. */
const EVENT_PATTERN = /^(\*\*|(\*|[\w.-]+)(:(\*|[\w.-]*))*(:\*\*)?)$/;

/** An action, where `publish` may be narrowed to event names: `publish message:*`. */
const grant = z.string().refine((text) => {
  const [action, events, ...rest] = text.split(' ');
  if (rest.length > 0 || !ROOM_ACTIONS.some((known) => known === action)) return false;
  if (events === undefined) return true;
  return action === 'publish' && events.length <= LIMITS.eventNameLength && EVENT_PATTERN.test(events);
}, 'an action is join, publish, signal, presence, or "publish <event pattern>", such as "publish message:*"');

/** A user's exact `sub`, a prefix with `*` behind it, or `*` for everybody. */
const userPattern = z
  .string()
  .min(1)
  .max(LIMITS.userLength + 1);

/** The claims of a socket's token. Times in seconds since 1970. */
export const tokenClaims = z.object({
  sub: userName,
  exp: z.number(),
  iat: z.number().optional(),
  jti: z.string().max(256).optional(),
  namespaces: z.array(z.string()).default(['/']),
  rooms: z.record(roomPattern, z.array(grant)).default({}),
  users: z.array(userPattern).optional(),
  info: z.record(z.string(), z.unknown()).optional(),
});
export type TokenClaims = z.infer<typeof tokenClaims>;

/** Whether `name` matches a pattern of colon-separated segments: `*` is one segment, a last `**` the rest. */
export const matchesPattern = (pattern: string, name: string): boolean => {
  const wanted = pattern.split(':');
  const given = name.split(':');
  for (const [i, segment] of wanted.entries()) {
    if (segment === '**' && i === wanted.length - 1) return given.length > i;
    if (given[i] === undefined || (segment !== '*' && segment !== given[i])) return false;
  }
  return wanted.length === given.length;
};

/** Whether the claims allow an action in a room; `event` narrows `publish`. Grants add up, there is no deny. */
export const isAllowed = (
  rooms: TokenClaims['rooms'],
  request: { room: string; action: RoomAction; event?: string },
): boolean =>
  Object.entries(rooms).some(
    ([pattern, grants]) =>
      matchesPattern(pattern, request.room) &&
      grants.some((text) => {
        const [action, events] = text.split(' ');
        if (action !== request.action) return false;
        return events === undefined || (request.event !== undefined && matchesPattern(events, request.event));
      }),
  );

/** Whether the `users` claim allows sending to a user. */
export const mayReachUser = (users: TokenClaims['users'], user: string): boolean =>
  (users ?? []).some(
    (pattern) => pattern === user || (pattern.endsWith('*') && user.startsWith(pattern.slice(0, -1))),
  );

/** The token of someone who may do everything, for local use and tests. */
export const everyRoom: TokenClaims['rooms'] = { '**': [...ROOM_ACTIONS] };
