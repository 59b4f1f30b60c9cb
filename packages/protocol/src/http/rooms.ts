import { z } from 'zod';
import { roomEvent } from '../events/events.ts';

/** An event of a room's past, with the users who do not hear it. */
const pastEvent = roomEvent.extend({ except: z.array(z.string()).optional() }).meta({ id: 'PastEvent' });

/** `GET /v1/rooms/{room}/history` */
export const historyResponse = z
  .object({
    epoch: z.string().describe('Epoch of the room now; empty when nobody has published to it'),
    offset: z.int().describe('Position of the newest event of the room'),
    recovered: z
      .boolean()
      .describe('`since` was given, is of this epoch, and no event between it and `events` is missing'),
    events: z.array(pastEvent),
  })
  .meta({ id: 'HistoryResponse' });
export type HistoryResponse = z.infer<typeof historyResponse>;

/** `DELETE /v1/rooms/{room}/history` */
export const clearHistoryResponse = z
  .object({ deleted: z.int().describe('How many events there were') })
  .meta({ id: 'ClearHistoryResponse' });
export type ClearHistoryResponse = z.infer<typeof clearHistoryResponse>;

/** `GET /v1/rooms` */
export const roomsResponse = z
  .object({
    rooms: z.array(z.object({ room: z.string(), epoch: z.string(), offset: z.int() })),
    next: z.string().optional().describe('Cursor of the next page; absent on the last one'),
  })
  .meta({ id: 'RoomsResponse' });
export type RoomsResponse = z.infer<typeof roomsResponse>;
