import { z } from 'zod';
import { LIMITS } from './limits.ts';
import { userName } from './names.ts';

/** What a token can allow in a room; `publish` also for some event names only, as `publish message:*`. */
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

/** What shows of a user: at most 1 KB of JSON. */
const info = z
  .record(z.string(), z.unknown())
  .refine((value) => new TextEncoder().encode(JSON.stringify(value)).length <= LIMITS.infoBytes, {
    error: `info may have ${LIMITS.infoBytes} bytes of JSON`,
  });

/** The last second of the year 9999: an `exp` beyond it is in milliseconds by mistake. */
const LAST_SECOND = 253_402_300_799;

/** The claims of a socket's token. Times in seconds since 1970. */
export const tokenClaims = z.object({
  /** The user. */
  sub: userName,
  /** When the session ends. */
  exp: z.number().max(LAST_SECOND),
  /** When it was issued: a revocation of the user takes what was issued before it. */
  iat: z.number().optional(),
  /** Its id, by which it alone is revoked. */
  jti: z.string().max(256).optional(),
  /** The login that it belongs to, by which all of its tokens are revoked. */
  sid: z.string().max(256).optional(),
  /** The namespaces that it opens; default `["/"]`. */
  namespaces: z.array(z.string()).default(['/']),
  /** Room pattern → what is allowed there; default nothing. */
  rooms: z.record(roomPattern, z.array(grant)).default({}),
  /** Whom it may send to: names, `team-*`, `*`; default nobody. */
  users: z.array(userPattern).optional(),
  /** What presence shows of the user, at most 1 KB as JSON. */
  info: info.optional(),
});
export type TokenClaims = z.infer<typeof tokenClaims>;

/** Whether two stretches of the same length hold the same text. */
const isSame = (a: string, from: number, b: string, at: number, length: number): boolean => {
  for (let i = 0; i < length; i += 1) {
    if (a.charCodeAt(from + i) !== b.charCodeAt(at + i)) return false;
  }
  return true;
};

/** Whether `name` matches a pattern of colon-separated segments: `*` is one segment, a last `**` the rest. */
export const matchesPattern = (pattern: string, name: string): boolean => {
  // Asked at each join and publish: without an array of segments it takes a quarter of the time.
  for (let start = 0, at = 0; ; ) {
    const colon = pattern.indexOf(':', start);
    const length = (colon === -1 ? pattern.length : colon) - start;
    if (colon === -1 && length === 2 && pattern.startsWith('**', start)) return true;
    const nameColon = name.indexOf(':', at);
    const nameLength = (nameColon === -1 ? name.length : nameColon) - at;
    const isAny = length === 1 && pattern.startsWith('*', start);
    if (!isAny && !(length === nameLength && isSame(pattern, start, name, at, length))) return false;
    if (colon === -1 || nameColon === -1) return colon === nameColon;
    start = colon + 1;
    at = nameColon + 1;
  }
};

/** Whether the claims allow an action in a room; `event` narrows `publish`. Grants add up, there is no deny. */
export const isAllowed = (
  rooms: TokenClaims['rooms'],
  request: { room: string; action: RoomAction; event?: string },
): boolean => {
  for (const pattern in rooms) {
    const grants = rooms[pattern];
    if (grants === undefined || !matchesPattern(pattern, request.room)) continue;
    if (grants.some((text) => covers(text, request))) return true;
  }
  return false;
};

const covers = (text: string, { action, event }: { action: RoomAction; event?: string }): boolean =>
  text === action ||
  (action === 'publish' &&
    event !== undefined &&
    text.startsWith('publish ') &&
    matchesPattern(text.slice('publish '.length), event));

/** Whether the `users` claim allows sending to a user. */
export const mayReachUser = (users: TokenClaims['users'], user: string): boolean =>
  (users ?? []).some(
    (pattern) => pattern === user || (pattern.endsWith('*') && user.startsWith(pattern.slice(0, -1))),
  );

/** The token of someone who may do everything, for local use and tests. */
export const everyRoom: TokenClaims['rooms'] = { '**': [...ROOM_ACTIONS] };

/** The grants of several sources together: what one of them allows is allowed. */
export const unionOf = (a: TokenClaims['rooms'], b: TokenClaims['rooms']): TokenClaims['rooms'] => {
  const union = { ...a };
  for (const [pattern, grants] of Object.entries(b)) {
    union[pattern] = [...new Set([...(union[pattern] ?? []), ...grants])];
  }
  return union;
};
