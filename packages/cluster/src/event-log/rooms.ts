import { AppError, isInbox, isRoomName } from '@fanfare/protocol';
import { Cluster } from 'ioredis';
import { z } from 'zod';
import { keys } from '../keys.ts';
import type { RedisCommands } from '../redis/script.ts';
import type { Position } from './event-log.ts';

export interface RoomPosition extends Position {
  room: string;
}

/** Which master of a Redis Cluster is read, and how far: `2.288`. A standalone Redis is number 0. */
const CURSOR = /^(?<shard>\d{1,3})\.(?<at>\d{1,20})$/;
/** Redis takes no cursor above it. */
const LAST_CURSOR = 2n ** 64n - 1n;
/** Keys that one page looks at: most keys of a busy Redis are ids of events, and no page shall take long. */
const SCANNED_KEYS = 20_000;
const SCAN_COUNT = 100;

const scanReply = z.tuple([z.string(), z.array(z.string())]);
const headReply = z.tuple([z.string().nullable(), z.string().nullable()]);

const shardsOf = (redis: RedisCommands) =>
  redis instanceof Cluster
    ? // One order for every page, as long as the masters are the same.
      redis
        .nodes('master')
        .sort((a, b) =>
          `${a.options.host}:${a.options.port}`.localeCompare(`${b.options.host}:${b.options.port}`),
        )
    : [redis];

/** Reads a page of the rooms of a namespace by walking over the keys. */
export async function listRooms(
  redis: RedisCommands,
  namespace: string,
  { cursor, limit }: { cursor?: string | undefined; limit: number },
): Promise<{ rooms: RoomPosition[]; next?: string }> {
  const start = CURSOR.exec(cursor ?? '0.0')?.groups;
  if (start === undefined || BigInt(start.at ?? 0) > LAST_CURSOR)
    throw new AppError('invalid_payload', '"cursor": not one of this route');
  let shard = Number(start.shard);
  let at = start.at ?? '0';
  const shards = shardsOf(redis);
  const count = Math.max(SCAN_COUNT, limit);
  const found = new Set<string>();
  for (let scanned = 0; scanned < SCANNED_KEYS && found.size < limit; scanned += count) {
    const server = shards[shard];
    if (server === undefined) break;
    const [next, names] = scanReply.parse(
      await server.scan(at, 'MATCH', keys.roomHeads(namespace), 'COUNT', count),
    );
    // The id of an event may be anything, and so may the end of its key. Inboxes are their users'.
    for (const room of names.map((name) => keys.roomOfHead(namespace, name))) {
      if (isRoomName(room) && !isInbox(room)) found.add(room);
    }
    at = next;
    if (at === '0') shard += 1;
  }
  const rooms = await Promise.all([...found].map((room) => readPosition(redis, namespace, room)));
  return {
    rooms: rooms.filter((room) => room !== undefined),
    ...(shard < shards.length && { next: `${shard}.${at}` }),
  };
}

/** A head that has gone meanwhile is none. */
const readPosition = async (
  redis: RedisCommands,
  namespace: string,
  room: string,
): Promise<RoomPosition | undefined> => {
  const [epoch, offset] = headReply.parse(
    await redis.hmget(keys.roomHead(namespace, room), 'epoch', 'offset'),
  );
  return epoch === null || offset === null ? undefined : { room, epoch, offset: Number(offset) };
};
