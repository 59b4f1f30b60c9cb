import { type AckResult, everyRoom, type TokenClaims } from '@fanfare/protocol';
import { eventually, nextEvent, RedisServer } from '@fanfare/testing';
import { SignJWT } from 'jose';
import { io as connectClient, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import { loadGatewayConfig } from '../src/config.ts';
import { createGateway } from '../src/gateway.ts';

const SECRET = 'a-secret-of-the-tests-long-enough-for-HS256';

/** A token for `sub` that may do everything in `/`, an hour long; `claims` change that, `secret` forges it. */
export const signToken = (
  claims: {
    sub?: string;
    namespaces?: string[];
    rooms?: TokenClaims['rooms'];
    users?: string[];
    info?: Record<string, unknown>;
    iat?: number;
    jti?: string;
    sid?: string;
  } = {},
  options: { secret?: string; expiresIn?: string } = {},
): Promise<string> =>
  new SignJWT({ rooms: everyRoom, users: ['*'], ...claims })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(claims.sub ?? 'alice')
    .setExpirationTime(options.expiresIn ?? '1h')
    .sign(new TextEncoder().encode(options.secret ?? SECRET));

export type ClientOptions = Partial<ManagerOptions & SocketOptions> & { namespace?: string };

export interface TestNode extends AsyncDisposable {
  readonly url: string;
  readonly opsUrl: string;
  /** Stops the node as SIGTERM does. */
  drain(): Promise<void>;
  /** A stock client with this token; closed with the node. */
  client(token: string | undefined, options?: ClientOptions): Socket;
  /** A connected stock client for a user with all permissions. */
  connect(user: string, options?: ClientOptions): Promise<Socket>;
}

let nodes = 0;

/** A real gateway node in this process on free ports of the loopback interface; `env` adds settings. */
export async function startNode(env: Record<string, string> = {}): Promise<TestNode> {
  await using stack = new AsyncDisposableStack();
  nodes += 1;
  const gateway = stack.use(
    await createGateway(
      loadGatewayConfig({
        FANFARE_NODE_ID: `n${nodes}`,
        FANFARE_HOST: '127.0.0.1',
        FANFARE_PORT: '0',
        FANFARE_OPS_HOST: '127.0.0.1',
        FANFARE_OPS_PORT: '0',
        FANFARE_TOKEN_SECRET: SECRET,
        LOG_LEVEL: 'silent',
        ...env,
      }),
    ),
  );
  await gateway.listen();
  const url = `http://127.0.0.1:${gateway.ports.http}`;
  const owned = stack.move();
  const client: TestNode['client'] = (token, { namespace = '/', ...options } = {}) =>
    owned.adopt(
      connectClient(`${url}${namespace}`, {
        auth: token === undefined ? {} : { token },
        transports: ['websocket'],
        forceNew: true,
        ...options,
      }),
      (socket) => void socket.disconnect(),
    );
  return {
    url,
    opsUrl: `http://127.0.0.1:${gateway.ports.ops}`,
    drain: gateway.drain,
    client,
    connect: async (user, options) => {
      const namespaces = [options?.namespace ?? '/'];
      const socket = client(await signToken({ sub: user, namespaces }), options);
      await nextEvent(socket, 'connect');
      return socket;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Two nodes that share a Redis of their own, once both are ready; `env` adds settings to both. */
export async function startPair(
  env: Record<string, string> = {},
): Promise<AsyncDisposable & { redis: RedisServer; a: TestNode; b: TestNode }> {
  await using stack = new AsyncDisposableStack();
  const redis = stack.use(await RedisServer.start());
  const a = stack.use(await startNode({ REDIS_URL: redis.url, ...env }));
  const b = stack.use(await startNode({ REDIS_URL: redis.url, ...env }));
  await Promise.all([untilReady(a), untilReady(b)]);
  const owned = stack.move();
  return { redis, a, b, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Resolves once the node says that it is ready. */
export const untilReady = ({ opsUrl }: TestNode): Promise<void> =>
  eventually(
    async () => {
      const { status } = await fetch(`${opsUrl}/readyz`);
      if (status !== 200) throw new Error(`/readyz answers ${status}`);
    },
    { timeoutMs: 10_000 },
  );

/** Asks and returns what the ack holds. */
export const ask = (
  socket: Socket,
  event: string,
  payload: unknown,
): Promise<AckResult<Record<string, unknown>>> => socket.timeout(5000).emitWithAck(event, payload);
