import { AppError } from '@fanfare/protocol';
import express, { type Express, type Request, type Response, type Router } from 'express';
import helmet from 'helmet';
import type { ApiEvents, Outcome } from '../events.ts';
import { answerProblem, toAppError } from './problem.ts';
import type { Route } from './route.ts';

/** Largest request body, in bytes: an event of 64 KB with its envelope. */
const MAX_BODY_BYTES = 100 * 1024;

/** Nothing from another host; the page at /docs has style attributes. */
const CONTENT_SECURITY = {
  fontSrc: ["'self'"],
  styleSrc: ["'self'", "'unsafe-inline'"],
  // A developer's machine serves plain HTTP.
  upgradeInsecureRequests: null,
};

/** Any JSON value is read, so that the schema says what is wrong with it. */
const parseJson = express.json({ limit: MAX_BODY_BYTES, strict: false });

/** The HTTP side of the public port. */
export function createHttpApp(deps: {
  routes: readonly Route[];
  pages: Router;
  /** Returns the name of the API key or throws. */
  authenticate: (header: string | undefined) => string;
  events: ApiEvents;
}): Express {
  const app = express();
  app.disable('x-powered-by');
  app.use(helmet({ contentSecurityPolicy: { directives: CONTENT_SECURITY } }));
  for (const route of deps.routes) mount(app, route, deps.authenticate);
  app.use(deps.pages);
  const methods = methodsByPath(deps.routes);
  app.use((req, res) => {
    const allowed = methods.get(req.path);
    if (allowed === undefined) throw new AppError('not_found');
    res.set('Allow', allowed.join(', '));
    throw new AppError('not_found', `${req.path} takes ${allowed.join(' or ')}, not ${req.method}`);
  });
  app.use(answerProblem(deps.events));
  return app;
}

const mount = (app: Express, route: Route, authenticate: (header: string | undefined) => string): void => {
  app[route.method](route.path, async (req, res) => {
    const startedAt = performance.now();
    let outcome: Outcome = 'accepted';
    let publisher: string | undefined;
    try {
      if (route.access === 'api-key') publisher = authenticate(req.headers.authorization);
      const answer = await route.run(route.body && (await readBody(req, res)));
      res.set('Cache-Control', 'no-store').json(answer);
    } catch (thrown) {
      const error = toAppError(thrown);
      outcome = error.code;
      throw error;
    } finally {
      route.observe?.({ outcome, publisher, seconds: (performance.now() - startedAt) / 1000 });
    }
  });
};

const readBody = async (req: Request, res: Response): Promise<unknown> => {
  await new Promise<void>((resolve, reject) => {
    parseJson(req, res, (error?: unknown) => (error === undefined ? resolve() : reject(error)));
  });
  const body: unknown = req.body;
  if (body === undefined) {
    throw new AppError('invalid_payload', 'Send a JSON body with "Content-Type: application/json"');
  }
  return body;
};

const methodsByPath = (routes: readonly Route[]): Map<string, string[]> => {
  const methods = new Map<string, string[]>();
  for (const { path, method } of routes) {
    methods.set(path, [...(methods.get(path) ?? []), method.toUpperCase()]);
  }
  return methods;
};
