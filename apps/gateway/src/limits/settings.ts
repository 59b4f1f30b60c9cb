import { commaList, wholeNumber } from '@fanfare/runtime';
import { z } from 'zod';
import type { Rate } from './bucket.ts';

/** Token buckets by name; the name stands as a label and in FANFARE_LIMITS_DRY_RUN. */
export const RATE_LIMITS = [
  'socket_packets',
  'socket_connects',
  'socket_events',
  'socket_joins',
  'socket_bytes',
  'socket_refusals',
  'user_events',
  'user_joins',
  'user_bytes',
  'ip_events',
  'ip_joins',
  'ip_bytes',
  'node_handshakes',
] as const;
/** Limits of how many there are at a time. */
export const COUNT_LIMITS = ['socket_rooms', 'user_sockets', 'ip_sockets', 'node_connections'] as const;

export type RateLimit = (typeof RATE_LIMITS)[number];
export type CountLimit = (typeof COUNT_LIMITS)[number];
export type LimitName = RateLimit | CountLimit;

const RATE = /^(\d{1,12})\/(\d{1,12})$/;

const rate = z.string().transform((text, context): Rate | undefined => {
  if (text === 'off') return undefined;
  const [perSecond = 0, burst = 0] = (RATE.exec(text) ?? []).slice(1).map(Number);
  if (perSecond >= 1 && burst >= 1) return { perSecond, burst };
  context.addIssue({
    code: 'custom',
    message: 'expected a number a second/a number at once like 100/500, or off',
  });
  return z.NEVER;
});

const count = z.union([z.literal('off').transform(() => undefined), wholeNumber(1, 10_000_000)], {
  error: 'expected a whole number, or off',
});

const rateOf = (text: string) => rate.prefault(text);
const countOf = (text: string) => count.prefault(text);

const isLimit = (name: string): boolean => [...RATE_LIMITS, ...COUNT_LIMITS].some((known) => known === name);

/** What clients may cost; all of it counts for each worker process by itself but for `NODE_CONNECTIONS`. */
export const limitSettings = {
  FANFARE_LIMIT_SOCKET_PACKETS: rateOf('2000/5000').describe(
    'Engine.IO packets of a connection, a second/at once; one above is cut off unread',
  ),
  FANFARE_LIMIT_SOCKET_CONNECTS: rateOf('10/100').describe(
    'Times that a connection asks to join a namespace, a second/at once; one above is cut off',
  ),
  FANFARE_LIMIT_SOCKET_EVENTS: rateOf('200/1000').describe(
    'Events and acks of a connection, a second/at once; those above are refused',
  ),
  FANFARE_LIMIT_SOCKET_JOINS: rateOf('100/1000').describe(
    'Rooms that a connection asks to join, a second/at once',
  ),
  FANFARE_LIMIT_SOCKET_BYTES: rateOf('2000000/8000000').describe('Bytes from a connection, a second/at once'),
  FANFARE_LIMIT_SOCKET_REFUSALS: rateOf('10/200').describe(
    'Refusals by the limits that a connection may get, a second/at once; one above is cut off',
  ),
  FANFARE_LIMIT_SOCKET_ROOMS: countOf('1000').describe('Rooms of a socket at a time'),
  FANFARE_LIMIT_USER_EVENTS: rateOf('off').describe(
    'Events of all sockets of a user on a process, a second/at once',
  ),
  FANFARE_LIMIT_USER_JOINS: rateOf('off').describe(
    'Rooms that all sockets of a user ask to join, a second/at once',
  ),
  FANFARE_LIMIT_USER_BYTES: rateOf('off').describe('Bytes from all sockets of a user, a second/at once'),
  FANFARE_LIMIT_USER_SOCKETS: countOf('off').describe(
    'Sockets of a user in a namespace on a process at a time',
  ),
  FANFARE_LIMIT_IP_EVENTS: rateOf('off').describe(
    'Events from an address, a second/at once; behind a proxy set FANFARE_TRUSTED_PROXIES first',
  ),
  FANFARE_LIMIT_IP_JOINS: rateOf('off').describe('Rooms asked for from an address, a second/at once'),
  FANFARE_LIMIT_IP_BYTES: rateOf('off').describe('Bytes from an address, a second/at once'),
  FANFARE_LIMIT_IP_SOCKETS: countOf('off').describe(
    'Connections of an address at a time; very many people may share one',
  ),
  FANFARE_LIMIT_NODE_HANDSHAKES: rateOf('2000/10000').describe(
    'New connections of a process, a second/at once; the others come back later',
  ),
  FANFARE_LIMIT_NODE_CONNECTIONS: countOf('100000').describe(
    'Connections of a node at a time, about 10 KB each',
  ),
  FANFARE_LIMITS_DRY_RUN: commaList
    .pipe(
      z.array(
        z.string().refine((name) => name === 'all' || isLimit(name), {
          error: ({ input }) => `"${input}" is no limit: name some like socket_events, or all`,
        }),
      ),
    )
    .default([])
    .describe('Limits that only count and refuse nothing, like user_events,ip_sockets; all for all'),
};

type LimitSettings = z.output<z.ZodObject<typeof limitSettings>>;

export interface LimitConfig {
  readonly rates: Readonly<Record<RateLimit, Rate | undefined>>;
  readonly counts: Readonly<Record<CountLimit, number | undefined>>;
  readonly isDryRun: (limit: LimitName) => boolean;
}

/** The limits of a configuration; those of a node are shared out among its workers. */
export const readLimits = (settings: LimitSettings, workers: number): LimitConfig => {
  const dryRun = new Set(settings.FANFARE_LIMITS_DRY_RUN);
  const connections = settings.FANFARE_LIMIT_NODE_CONNECTIONS;
  return {
    rates: {
      socket_packets: settings.FANFARE_LIMIT_SOCKET_PACKETS,
      socket_connects: settings.FANFARE_LIMIT_SOCKET_CONNECTS,
      socket_events: settings.FANFARE_LIMIT_SOCKET_EVENTS,
      socket_joins: settings.FANFARE_LIMIT_SOCKET_JOINS,
      socket_bytes: settings.FANFARE_LIMIT_SOCKET_BYTES,
      socket_refusals: settings.FANFARE_LIMIT_SOCKET_REFUSALS,
      user_events: settings.FANFARE_LIMIT_USER_EVENTS,
      user_joins: settings.FANFARE_LIMIT_USER_JOINS,
      user_bytes: settings.FANFARE_LIMIT_USER_BYTES,
      ip_events: settings.FANFARE_LIMIT_IP_EVENTS,
      ip_joins: settings.FANFARE_LIMIT_IP_JOINS,
      ip_bytes: settings.FANFARE_LIMIT_IP_BYTES,
      node_handshakes: settings.FANFARE_LIMIT_NODE_HANDSHAKES,
    },
    counts: {
      socket_rooms: settings.FANFARE_LIMIT_SOCKET_ROOMS,
      user_sockets: settings.FANFARE_LIMIT_USER_SOCKETS,
      ip_sockets: settings.FANFARE_LIMIT_IP_SOCKETS,
      node_connections: connections === undefined ? undefined : Math.ceil(connections / workers),
    },
    isDryRun: (limit) => dryRun.has('all') || dryRun.has(limit),
  };
};
