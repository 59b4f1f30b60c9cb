import type { EventLog, HistoryPage } from '@fanfare/cluster';
import {
  AppError,
  clearHistoryResponse,
  type HistoryResponse,
  historyResponse,
  roomsResponse,
} from '@fanfare/protocol';
import { z } from 'zod';
import { checkNamespace, inNamespace, presetNumber, queryNumber, roomPath } from '../http/parameters.ts';
import { defineRoute, type Route } from '../http/route.ts';

interface RoomsDeps {
  /** Absent on a machine without Redis. */
  log: Pick<EventLog, 'history' | 'clear' | 'listRooms'> | undefined;
  namespaces: readonly string[];
}

const HISTORY_LIMIT = 100;
const ROOMS_LIMIT = 100;

/** `GET|DELETE /v1/rooms/{room}/history` and `GET /v1/rooms`. */
export const roomsRoutes = (deps: RoomsDeps): Route[] => [
  historyRoute(deps),
  clearHistoryRoute(deps),
  roomsRoute(deps),
];

/** The log, for a namespace that exists; throws `not_found` otherwise. */
const logOf = ({ log, namespaces }: RoomsDeps, namespace: string) => {
  checkNamespace(namespaces, namespace);
  if (log === undefined) {
    throw new AppError('not_found', 'This machine runs without Redis: no room has a log');
  }
  return log;
};

const historyQuery = z.strictObject({
  since: queryNumber({ min: 0, max: Number.MAX_SAFE_INTEGER })
    .optional()
    .describe('Offset to read on from, itself not included; default: the beginning, or backward the end'),
  epoch: z
    .string()
    .max(64)
    .optional()
    .describe('Epoch that `since` belongs to; nothing is read when the room has another one by now'),
  limit: presetNumber(HISTORY_LIMIT, { min: 1, max: 500 }).describe(
    'Most events of the answer; it also ends with about 1 MB of them',
  ),
  direction: z.enum(['forward', 'backward']).default('forward'),
  namespace: inNamespace,
});

const EVENT: HistoryResponse['events'][number] = {
  event: 'task:created',
  data: { id: 7, title: 'Write the report' },
  meta: {
    room: 'project:42',
    epoch: '9f86d081884c7d65',
    offset: 17,
    id: 'task-7-created',
    at: 1_794_000_000_000,
  },
};

const historyRoute = (deps: RoomsDeps): Route =>
  defineRoute({
    method: 'get',
    path: '/v1/rooms/{room}/history',
    operation: 'getHistory',
    tag: 'Rooms',
    summary: "Read a room's log",
    description:
      'Forward from the oldest event that is kept, or backward from the newest; `since` goes on from an offset. The ' +
      'next page begins at the offset of the last event; an answer without events is the end. Give `epoch` with ' +
      '`since`, and check `recovered`: false means that the events between are no longer kept, or that the epoch is ' +
      'another one and `since` says nothing any more. `except` of an event names users it was not for.',
    access: 'read',
    params: roomPath,
    query: historyQuery,
    answer: {
      schema: historyResponse,
      description: 'What is kept, and where the room stands.',
      example: { epoch: '9f86d081884c7d65', offset: 17, recovered: true, events: [EVENT] },
    },
    errors: ['invalid_payload', 'not_found', 'unavailable'],
    handle: async ({ params: { room }, query: { since, epoch, limit, direction, namespace } }) => {
      const log = logOf(deps, namespace);
      const page = await log.history({ namespace, room }, { direction, from: since, limit });
      const isOtherEpoch = epoch !== undefined && since !== undefined && epoch !== page.head.epoch;
      const events = isOtherEpoch ? [] : page.events;
      return {
        ...page.head,
        recovered: !isOtherEpoch && since !== undefined && isWhole(page, since, direction),
        events: events.map(({ event, data, meta, except }) => ({
          event,
          data,
          meta,
          ...(except && { except: [...except] }),
        })),
      };
    },
  });

/** Nothing is missing between an offset and the page that was read from there. */
const isWhole = ({ head, first }: HistoryPage, since: number, direction: 'forward' | 'backward'): boolean => {
  if (first === undefined) return direction === 'forward' ? since === head.offset : since <= 1;
  return first === since + (direction === 'forward' ? 1 : -1);
};

const clearHistoryRoute = (deps: RoomsDeps): Route =>
  defineRoute({
    method: 'delete',
    path: '/v1/rooms/{room}/history',
    operation: 'clearHistory',
    tag: 'Rooms',
    summary: "Forget a room's log",
    description:
      'Its position stays: offsets go on where they were, and a client that comes back with an older position is ' +
      'told that events are missing.',
    access: 'control',
    params: roomPath,
    query: z.strictObject({ namespace: inNamespace }),
    answer: { schema: clearHistoryResponse, description: 'It is forgotten.', example: { deleted: 17 } },
    errors: ['invalid_payload', 'not_found', 'unavailable'],
    handle: async ({ params: { room }, query: { namespace } }) => ({
      deleted: await logOf(deps, namespace).clear({ namespace, room }),
    }),
  });

const roomsRoute = (deps: RoomsDeps): Route =>
  defineRoute({
    method: 'get',
    path: '/v1/rooms',
    operation: 'listRooms',
    tag: 'Rooms',
    summary: 'List the rooms that have a log',
    description:
      'Every room that was published to in the last 30 days, in no order, with its position. A page may hold ' +
      'somewhat more or less than `limit`, even none; go on with `next` until it is absent. A room that is new ' +
      'while you read may be missing, and none comes twice within a page.',
    access: 'read',
    query: z.strictObject({
      cursor: z.string().max(100).optional().describe('`next` of the page before'),
      limit: queryNumber({ min: 1, max: 1000 })
        .default(ROOMS_LIMIT)
        .describe('About how many rooms to answer'),
      namespace: inNamespace,
    }),
    answer: {
      schema: roomsResponse,
      description: 'A page of rooms.',
      example: { rooms: [{ room: 'project:42', epoch: '9f86d081884c7d65', offset: 17 }], next: '0.288' },
    },
    errors: ['invalid_payload', 'not_found', 'unavailable'],
    handle: async ({ query: { cursor, limit, namespace } }) =>
      // An empty cursor is how many clients ask for the first page.
      logOf(deps, namespace).listRooms(namespace, { cursor: cursor || undefined, limit }),
  });
