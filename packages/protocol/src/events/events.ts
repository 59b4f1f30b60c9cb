import { z } from 'zod';
import { LIMITS } from '../limits.ts';
import { eventId, eventName, roomName, userName } from '../names.ts';
import { defineEvent } from './event.ts';
import { presenceOfJoin } from './presence.ts';

/** A position in a room's log; a room that nobody published to is at `{epoch: "", offset: 0}`. */
const position = z.strictObject({ epoch: z.string(), offset: z.int().min(0) });

const joinRequest = z.strictObject({
  room: roomName,
  since: position.optional(),
  replay: z.int().min(1).max(500).optional(),
  presence: z.boolean().optional(),
});

const meta = z.object({
  room: z.string(),
  id: z.string().describe("The publisher's id, or one that the cluster made"),
  at: z.number().describe('When the cluster took it, in ms since 1970'),
  from: z.string().optional().describe('The user (`sub`) whose socket sent it; absent when a backend did'),
  epoch: z.string().optional().describe("Epoch of the room's log; absent for what is not logged"),
  offset: z.int().optional().describe("Position in the room's log; absent for what is not logged"),
});

/** A past event in the answer to a join; live, the same is `socket.on(event, (data, meta) => …)`. */
export const roomEvent = z.object({ event: z.string(), data: z.unknown(), meta });
export type RoomEvent = z.infer<typeof roomEvent>;

/**
 * Why a room cannot be gone on with from a position: `retention`, the log no longer reaches back to it; `lost`, Redis has
 * lost what was published; `epoch`, the room has begun anew.
 */
const resetReason = z.enum(['retention', 'lost', 'epoch']);
export type ResetReason = z.infer<typeof resetReason>;

const joinedRoom = z.object({
  room: z.string(),
  epoch: z.string(),
  offset: z.int().describe('The position after applying `events`'),
  recovered: z.boolean().describe('`since` was given and nothing is missing'),
  reason: resetReason.optional().describe('Why it is not recovered from `since`'),
  events: z.array(roomEvent),
  more: z.literal(true).optional().describe('Not yet a member: join again with this position'),
  ...presenceOfJoin,
});

const refusedRoom = z.object({
  room: z.string(),
  error: z.object({
    code: z.string(),
    message: z.string(),
    retryable: z.boolean(),
    retryAfterMs: z.number().optional(),
  }),
});

const joinRequests = z.strictObject({ rooms: z.array(joinRequest).min(1).max(LIMITS.roomsPerRequest) });

/** A union says no more than that neither form fits: this tells what is wrong with the one that was meant. */
const explainJoin: z.core.$ZodErrorMap<z.core.$ZodIssueInvalidUnion> = ({ input }) => {
  const isSeveral = typeof input === 'object' && input !== null && 'rooms' in input;
  const issue = (isSeveral ? joinRequests : joinRequest).safeParse(input).error?.issues[0];
  if (issue === undefined) return undefined;
  return issue.path.length === 0 ? issue.message : `"${issue.path.join('.')}": ${issue.message}`;
};

/** Join one room, or up to 50 with an answer each. */
export const roomJoin = defineEvent('room:join', {
  payload: z.union([joinRequest, joinRequests], { error: explainJoin }),
  ack: z.union([joinedRoom, z.object({ rooms: z.array(z.union([joinedRoom, refusedRoom])) })]),
});

/** Leave a room; of one that the socket is not in it is no error. */
export const roomLeave = defineEvent('room:leave', {
  payload: z.strictObject({ room: roomName }),
  ack: z.object({}),
});

/** What an event says. */
export const eventData = z.unknown().refine((data) => data !== undefined, 'missing: give null for none');

/** Publish to a room; the sender hears it too when it is a member. */
export const roomPublish = defineEvent('room:publish', {
  payload: z.strictObject({
    room: roomName,
    event: eventName,
    data: eventData,
    id: eventId.optional(),
  }),
  ack: z.object({ epoch: z.string(), offset: z.int().nullable(), duplicate: z.boolean() }),
});

/** While it waits for a slow socket, a newer value of the same room, event and key takes its place. */
export const conflationKey = eventId;

/** Tell the other members something that may be lost: typing, cursors. The sender does not hear it. */
export const roomSignal = defineEvent('room:signal', {
  payload: z.strictObject({
    room: roomName,
    event: eventName,
    data: eventData,
    conflate: conflationKey.optional(),
  }),
  ack: z.object({}),
});

/** Go on with a new token of the same user; rooms that it does not allow are left. */
export const tokenRefresh = defineEvent('token:refresh', {
  payload: z.strictObject({ token: z.string() }),
  ack: z.object({ expiresAt: z.number().describe('When the new token expires, in ms since 1970') }),
});

/** Tell another user, on all of their sockets, what may be lost. The sender's other sockets hear it too. */
export const userSend = defineEvent('user:send', {
  payload: z.strictObject({ user: userName, event: eventName, data: eventData }),
  ack: z.object({}),
});

/** What stands beside the data of what one user sends to another: it belongs to no room. */
export interface DirectMeta {
  /** The user (`sub`) whose socket sent it. */
  from: string;
  /** The user (`sub`) whom it is for. */
  to: string;
  id: string;
  /** When the cluster took it, in ms since 1970. */
  at: number;
}

/** What stands beside the data of every event of a room that a gateway tells: `socket.on(name, (data, meta) => …)`. */
export type EventMeta = z.infer<typeof meta>;
