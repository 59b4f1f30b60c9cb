import { type IncomingMessage, ServerResponse, STATUS_CODES } from 'node:http';
import type { AppError } from '@fanfare/protocol';
import { propertyOf } from '../socket/innards.ts';

/** Code of engine.io for what is not admitted: it stands in the body of an answer to a poll. */
const FORBIDDEN = 4;

/**
 * Answers a handshake that is not admitted, with the status of the error and when to come back. engine.io 6.6.11 would
 * answer 403 to a poll and 400 to a websocket, whatever the reason; it keeps nothing of a request that it hears no more of.
 */
export function refuseHandshake(request: IncomingMessage, error: AppError): void {
  const { status, code, message, retryAfterMs } = error;
  const body = JSON.stringify({ code: FORBIDDEN, message: `${code}: ${message}` });
  const headers = {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    ...(retryAfterMs !== undefined && { 'Retry-After': Math.ceil(retryAfterMs / 1000) }),
  };
  const response = propertyOf(request, 'res');
  if (request.headers.upgrade === undefined && response instanceof ServerResponse) {
    response.writeHead(status, headers).end(body);
    return;
  }
  const { socket } = request;
  const lines = Object.entries(headers).map((pair) => `${pair.join(': ')}\r\n`);
  socket.on('error', ignore);
  socket.write(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n${lines.join('')}\r\n${body}`,
  );
  socket.destroySoon();
}

const ignore = () => undefined;
