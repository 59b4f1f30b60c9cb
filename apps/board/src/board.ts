import { once } from 'node:events';
import { createServer } from 'node:http';
import { pino } from 'pino';
import { accountRoutes } from './accounts/routes.ts';
import { createSessions } from './accounts/sessions.ts';
import { chatRoutes } from './chat/routes.ts';
import { countUnread, readMessages } from './chat/store.ts';
import type { BoardConfig } from './config.ts';
import { dashboardRoutes } from './dashboard/routes.ts';
import { databaseProblem, openDatabase } from './database/database.ts';
import { migrate } from './database/migrations.ts';
import { addSampleData } from './database/sample-data.ts';
import { createApp } from './http/app.ts';
import { buildPage } from './page-build.ts';
import { peopleRoutes } from './people/routes.ts';
import { memberRoutes } from './projects/member-routes.ts';
import { projectRoutes } from './projects/routes.ts';
import { readColumns, readProject } from './projects/snapshot.ts';
import { createOrders } from './room/orders.ts';
import { createPositions } from './room/position.ts';
import { commentRoutes } from './tasks/comment-routes.ts';
import { taskRoutes } from './tasks/routes.ts';
import { readComments, readTasks } from './tasks/store.ts';

/** The example product as a process. */
export interface Board extends AsyncDisposable {
  /** Resolves with the port in use. */
  listen(): Promise<number>;
  /** Takes nothing new and finishes what is under way. */
  drain(): Promise<void>;
}

/** Longest wait for the first answer of the database, in ms. */
const START_DATABASE_MS = 10_000;

/** The database does not let the board start: one clear sentence, no stack. */
export class StartError extends Error {
  override readonly name = 'StartError';
}

/** Builds everything in the order of its needs; the database is up to date when it resolves, else a `StartError`. */
export const createBoard = async (config: BoardConfig): Promise<Board> => {
  await using stack = new AsyncDisposableStack();
  const log = pino({
    level: config.logLevel,
    base: { app: 'board' },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  });

  const db = stack.adopt(openDatabase(config.databaseUrl, log), (one) => one.destroy());
  const problem = await databaseProblem(db, START_DATABASE_MS);
  if (problem !== undefined) {
    throw new StartError(
      `The board cannot start without its PostgreSQL (${problem}): start that, or correct DATABASE_URL.`,
    );
  }
  await migrate(db);
  if (config.sampleData) await addSampleData(db);
  const page = await buildPage(config.pageMode);

  const { cluster } = config;
  const positionOf = createPositions(cluster, log);
  const orders = stack.use(createOrders(db, cluster, log));
  const sessions = createSessions(db, orders);
  const tasks = readTasks;
  const app = createApp({
    log,
    page,
    problem: () => databaseProblem(db, config.databaseCheckMs),
    routers: [
      accountRoutes({ db, sessions, tokenSecret: cluster.tokenSecret, sampleData: config.sampleData }),
      projectRoutes({
        db,
        sessions,
        positionOf,
        readers: { tasks, messages: readMessages, unreadBefore: countUnread },
      }),
      memberRoutes({ db, sessions, orders }),
      taskRoutes({ db, sessions }),
      commentRoutes({ db, sessions }),
      chatRoutes({ db, sessions }),
      peopleRoutes({ db, sessions }),
      dashboardRoutes({
        db,
        sessions,
        positionOf,
        readers: { project: readProject, columns: readColumns, tasks, comments: readComments },
      }),
    ],
  });
  const server = createServer(app);
  stack.defer(() => {
    server.closeAllConnections();
    server.close();
  });

  const owned = stack.move();
  return {
    listen: async () => {
      server.listen(config.port, config.host);
      await once(server, 'listening');
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : config.port;
      void orders.settle();
      log.info({ port, pid: process.pid }, 'listening');
      return port;
    },
    drain: async () => {
      server.close();
      server.closeIdleConnections();
      await once(server, 'close');
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
};
