import type { Socket } from 'socket.io';
import { isConnection, isWebSocket } from '../seams.ts';
import { outboxOf } from './connection.ts';

/**
 * Bytes accepted for the connection of a socket that the kernel has not taken yet, whichever path they took:
 * waiting for the end of the event-loop iteration, queued in Engine.IO, or in the buffers of the TCP socket.
 */
export function pendingBytes(socket: Socket): number {
  const conn: object = socket.conn;
  const outbox = outboxOf(conn);
  let bytes = outbox === null ? 0 : outbox.pendingBytes + outbox.blockedBytes;
  if (!isConnection(conn)) return bytes;
  const webSocket = conn.transport.socket;
  if (isWebSocket(webSocket)) bytes += webSocket.bufferedAmount;
  for (const packet of conn.writeBuffer) bytes += sizeOf(packet);
  return bytes;
}

/** Bytes of a packet in the queue of Engine.IO. */
export function sizeOf(packet: unknown): number {
  if (typeof packet !== 'object' || packet === null || !('data' in packet)) return 1;
  const { data } = packet;
  if (typeof data === 'string') return 1 + Buffer.byteLength(data);
  return data instanceof ArrayBuffer || ArrayBuffer.isView(data) ? data.byteLength : 1;
}
