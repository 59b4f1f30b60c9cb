import { randomFillSync } from 'node:crypto';
import type { Server as HttpServer, IncomingMessage } from 'node:http';
import type { AdapterFactory } from '@fanfare/cluster';
import { AppError, type TokenClaims } from '@fanfare/protocol';
import { type DefaultEventsMap, type Namespace, Server, type ServerOptions, type Socket } from 'socket.io';
import * as parser from 'socket.io-parser';
import { z } from 'zod';
import { type ClientAddress, createClientAddress } from '../admission/client-address.ts';
import { createOriginCheck } from '../admission/origin.ts';
import { refuseHandshake } from '../admission/refusal.ts';
import { createTurnstile } from '../admission/turnstile.ts';
import type { GatewayConfig } from '../config.ts';
import type { GatewayEvents } from '../events.ts';
import type { Limits } from '../limits/limits.ts';
import { AnswerEncoder } from './encoder.ts';
import type { EngineConfig } from './settings.ts';

/** What the handshake established about a socket. */
export interface SocketData {
  user: { id: string; info: Readonly<Record<string, unknown>> };
  claims: TokenClaims;
  /** When the session has something to be told or done next, in seconds since 1970. */
  dueSecond?: number;
}

type Events = DefaultEventsMap;
export type GatewayServer = Server<Events, Events, Events, SocketData>;
export type GatewayNamespace = Namespace<Events, Events, Events, SocketData>;
export type GatewaySocket = Socket<Events, Events, Events, SocketData>;

const dataOfUser = z.looseObject({ user: z.looseObject({ id: z.string() }) });

/** The user behind any socket of a gateway, once its handshake is done. */
export const userOf = (socket: { data: unknown }): string | undefined =>
  dataOfUser.safeParse(socket.data).data?.user.id;

/** A Socket.IO server whose session ids end with the node, so that any load balancer can route by them. */
export function createSocketServer(
  http: HttpServer,
  config: GatewayConfig,
  deps: { adapter: AdapterFactory; events: GatewayEvents; limits: Limits },
): GatewayServer {
  const addressOf = createClientAddress(config.trustedProxies);
  const io: GatewayServer = new Server(http, {
    allowRequest: admission(config, {
      ...deps,
      addressOf,
      countConnections: () => io.engine.clientsCount,
    }),
    cors: { ...config.cors, methods: ['GET', 'POST'] },
    ...optionsOf(config.engine),
    adapter: deps.adapter,
  });
  const random = randomIds();
  io.engine.generateId = () => `${random()}_${config.node}`;
  io.engine.on('connection_error', ({ code, message }: { code: number; message: string }) => {
    deps.events.refusedConnection({ code: `engine_${code}`, reason: message });
  });
  // Before any namespace reads it: `handshake.address` is the client's, not the proxy's.
  io.engine.on('connection', (connection: { request: IncomingMessage }) => {
    Object.assign(connection, { remoteAddress: addressOf(connection.request) });
  });
  io.engine.on('initial_headers', writeOpeningAtOnce);
  // A listener for each packet would keep fanout from collecting them, and fanout counts by itself.
  if (!config.fanout) {
    const countSent = ({ type }: { type: string }) => {
      if (type === 'message') deps.events.sent();
    };
    io.engine.on('connection', (connection: NodeJS.EventEmitter) => connection.on('packetCreate', countSent));
  }
  return io;
}

/** Binary parts of an event that the parser of socket.io takes by itself. */
const STOCK_ATTACHMENTS = 10;

/** The options of stock that a deployment may set, and those that it may not. */
const optionsOf = (engine: EngineConfig): Partial<ServerOptions> => ({
  pingInterval: engine.pingIntervalMs,
  pingTimeout: engine.pingTimeoutMs,
  connectTimeout: engine.connectTimeoutMs,
  upgradeTimeout: engine.upgradeTimeoutMs,
  maxHttpBufferSize: engine.maxMessageBytes,
  httpCompression: engine.httpCompression,
  perMessageDeflate: false,
  allowEIO3: false,
  parser: {
    ...parser,
    Encoder: AnswerEncoder,
    ...(engine.maxAttachments !== STOCK_ATTACHMENTS && {
      Decoder: class extends parser.Decoder {
        constructor() {
          super({ maxAttachments: engine.maxAttachments });
        }
      },
    }),
  },
});

/** About 5 ms of work. */
const HANDSHAKES_PER_TURN = 16;

/** Decides over every handshake, websocket and polling alike, before anything is kept of it. */
const admission = (
  config: GatewayConfig,
  deps: { events: GatewayEvents; limits: Limits; addressOf: ClientAddress; countConnections: () => number },
): NonNullable<ServerOptions['allowRequest']> => {
  const { events, limits, addressOf, countConnections } = deps;
  const isAllowedOrigin = createOriginCheck(config.origins);
  const turnstile = createTurnstile(HANDSHAKES_PER_TURN);
  return (request, decide) => {
    const error = isAllowedOrigin(request.headers)
      ? limits.connection(() => addressOf(request), countConnections())
      : new AppError('origin_not_allowed');
    if (error !== undefined) {
      events.refusedConnection({ code: error.code, reason: error.message });
      refuseHandshake(request, error);
      return;
    }
    // Nobody else listens to the connection of an upgrade that waits.
    request.socket.on('error', ignore);
    turnstile(() => {
      request.socket.off('error', ignore);
      if (!request.socket.destroyed) decide(null, true);
    });
  };
};

const ignore = () => undefined;

/** The answer to a WebSocket upgrade and the session's first packet go out with one system call instead of two. */
const writeOpeningAtOnce = (_: unknown, { headers, socket }: IncomingMessage): void => {
  if (headers.upgrade === undefined) return;
  socket.cork();
  setImmediate(() => socket.uncork());
};

/** 15 random bytes, which are 20 characters of base64url; fetched for many ids at once, as a call for each costs 9 µs. */
const randomIds = (): (() => string) => {
  const bytes = Buffer.alloc(15 * 64);
  let next = bytes.length;
  return () => {
    if (next === bytes.length) {
      randomFillSync(bytes);
      next = 0;
    }
    next += 15;
    return bytes.toString('base64url', next - 15, next);
  };
};
