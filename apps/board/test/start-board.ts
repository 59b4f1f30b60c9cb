import { once } from 'node:events';
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import { PostgresServer } from '@fanfare/testing';
import { createBoard } from '../src/board.ts';
import { loadBoardConfig } from '../src/config.ts';

export interface Answer {
  status: number;
  body: unknown;
}

/** Somebody with a browser, as far as cookies go. */
export interface Visitor {
  readonly cookie: string | undefined;
  ask(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
}

/** What stands where the cluster would: it takes orders about users, and knows nothing else. */
export interface Orders {
  /** `DELETE /v1/rooms/…`, with the body of one that has any. */
  readonly taken: readonly string[];
  /** Those whose path has this in it are refused; none without it. */
  refuse(part?: string): void;
}

/** A board with a database of its own, and no cluster: what it tells stays in its outbox. */
export interface TestBoard extends AsyncDisposable {
  readonly url: string;
  readonly orders: Orders;
  readonly postgres: PostgresServer;
  visitor(): Visitor;
  /** Somebody who has just signed up; the id too. */
  signUp(name: string): Promise<Visitor & { id: string }>;
}

const startOrders = async (): Promise<Orders & AsyncDisposable & { url: string }> => {
  const taken: string[] = [];
  let refused: string | undefined;
  const server = createServer(async (request, response) => {
    const { method = '', url = '' } = request;
    const body = method === 'POST' ? ` ${JSON.stringify(await json(request))}` : '';
    const isOrder = method !== 'GET' && (refused === undefined || !url.includes(refused));
    if (isOrder) taken.push(`${method} ${decodeURIComponent(url)}${body}`);
    response.writeHead(isOrder ? 200 : 503).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    taken,
    refuse: (part) => {
      refused = part;
    },
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : address}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
};

const setCookie = (response: Response): string | undefined => response.headers.getSetCookie().at(0);

const createVisitor = (url: string): Visitor => {
  let cookie: string | undefined;
  return {
    get cookie() {
      return cookie;
    },
    ask: async (method, path, body, headers = {}) => {
      const response = await fetch(`${url}/board/api${path}`, {
        method,
        headers: {
          ...(cookie !== undefined && { cookie: cookie.split(';')[0] ?? '' }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      cookie = setCookie(response) ?? cookie;
      const text = await response.text();
      return { status: response.status, body: text === '' ? null : JSON.parse(text) };
    },
  };
};

export const startBoard = async (): Promise<TestBoard> => {
  await using stack = new AsyncDisposableStack();
  const postgres = stack.use(await PostgresServer.start());
  const orders = stack.use(await startOrders());
  const board = stack.use(
    await createBoard(
      loadBoardConfig({
        BOARD_HOST: '127.0.0.1',
        BOARD_PORT: '0',
        BOARD_CHECK_DATABASE_MS: '500',
        DATABASE_URL: postgres.url,
        FANFARE_URL: orders.url,
        FANFARE_API_KEY: 'k'.repeat(16),
        FANFARE_TOKEN_SECRET: 's'.repeat(32),
        LOG_LEVEL: 'silent',
      }),
    ),
  );
  const url = `http://127.0.0.1:${await board.listen()}`;
  const owned = stack.move();
  return {
    url,
    orders,
    postgres,
    visitor: () => createVisitor(url),
    signUp: async (name) => {
      const visitor = createVisitor(url);
      const { body } = await visitor.ask('POST', '/users', { name, password: 'long enough' });
      const id = typeof body === 'object' && body !== null && 'id' in body ? String(body.id) : '';
      return { ...visitor, id };
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
};
