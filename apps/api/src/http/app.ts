import { AppError, checkPayload } from '@fanfare/protocol';
import express, { type Express, type Request, type Response, type Router } from 'express';
import helmet from 'helmet';
import { z } from 'zod';
import type { ApiEvents, Outcome } from '../events.ts';
import type { Caller, KeyRing } from '../keys/key-ring.ts';
import { toAppError } from './errors.ts';
import { answerProblem } from './problem.ts';
import type { Route } from './route.ts';

/** Nothing from another host; the page at /docs has style attributes. */
const CONTENT_SECURITY = {
  fontSrc: ["'self'"],
  styleSrc: ["'self'", "'unsafe-inline'"],
  // A developer's machine serves plain HTTP.
  upgradeInsecureRequests: null,
};

/** Of an answer that no browser shows; written at once, because publishing goes through here. */
const ANSWER_HEADERS = {
  'Content-Type': 'application/json; charset=utf-8',
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
} as const;

/** The HTTP side of the public port. */
export function createHttpApp(deps: {
  routes: readonly Route[];
  pages: Router;
  identify: KeyRing['identify'];
  events: ApiEvents;
}): Express {
  const app = express();
  app.disable('x-powered-by');
  for (const route of deps.routes) mount(app, route, deps);
  app.use(helmet({ contentSecurityPolicy: { directives: CONTENT_SECURITY } }));
  app.use(deps.pages);
  const known = deps.routes.map(({ path, method }) => ({
    pattern: new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`),
    method: method.toUpperCase(),
  }));
  app.use((req, res) => {
    const allowed = known.filter(({ pattern }) => pattern.test(req.path)).map(({ method }) => method);
    if (allowed.length === 0) throw new AppError('not_found');
    res.set('Allow', allowed.join(', '));
    throw new AppError('not_found', `${req.path} takes ${allowed.join(' or ')}, not ${req.method}`);
  });
  app.use(answerProblem(deps.events));
  return app;
}

/** Of a route that needs no key. */
const ANYBODY: Caller = { name: '', permit: () => undefined, spend: () => undefined };

const roomParameter = z.object({ room: z.string() });

/** Who asks, once it is known that the key allows it. */
const admit = (route: Route, req: Request, caller: Caller): void => {
  // What depends on the body is paid in one piece, or a refusal would take a part of it and promise the whole too early.
  if (route.unitsOf === undefined) caller.spend(1);
  if (route.access === 'open' || route.permitsInBody) return;
  caller.permit(route.access, roomParameter.safeParse(req.params).data?.room);
};

const mount = (
  app: Express,
  route: Route,
  { identify, events }: { identify: KeyRing['identify']; events: ApiEvents },
): void => {
  const readBody = route.body && createBodyReader(route.body);
  app[route.method](route.path.replaceAll(/\{(\w+)\}/g, ':$1'), async (req, res) => {
    const startedAt = performance.now();
    let outcome: Outcome = 'accepted';
    let caller: Caller | undefined;
    try {
      caller = route.access === 'open' ? ANYBODY : identify(req.headers.authorization);
      admit(route, req, caller);
      const body = await readBody?.(req, res);
      if (route.unitsOf !== undefined) caller.spend(route.unitsOf(body));
      const answer = await route.run({
        params: req.params,
        query: route.query && req.query,
        body,
        caller,
      });
      const text = JSON.stringify(answer);
      const length = Buffer.byteLength(text);
      res.writeHead(200, { ...ANSWER_HEADERS, 'Content-Length': length });
      // ASCII, as nearly every answer is, is written faster as what it is.
      res.end(text, length === text.length ? 'latin1' : 'utf8');
    } catch (thrown) {
      const error = toAppError(thrown);
      outcome = error.code;
      throw error;
    } finally {
      const publisher = caller?.name;
      if (route.access !== 'open') events.requested(publisher ?? '', outcome);
      route.observe?.({ outcome, publisher, seconds: (performance.now() - startedAt) / 1000 });
    }
  });
};

/** Of the largest body; the data of an event have a bound of their own. */
const BODY_ENTRIES = 200_000;

const isWithoutBody = ({ headers }: Request): boolean =>
  headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0;

const without = (body: unknown, list: string | undefined): unknown =>
  list !== undefined && typeof body === 'object' && body !== null && Object.hasOwn(body, list)
    ? { ...body, [list]: undefined }
    : body;

/** Any JSON value is read, so that the schema says what is wrong with it. */
const createBodyReader = ({ maxBytes, isOptional = false, checksEach }: NonNullable<Route['body']>) => {
  const parseJson = express.json({ limit: maxBytes, strict: false });
  return async (req: Request, res: Response): Promise<unknown> => {
    if (isOptional && isWithoutBody(req)) return {};
    await new Promise<void>((resolve, reject) => {
      parseJson(req, res, (error?: unknown) => (error === undefined ? resolve() : reject(error)));
    });
    const body: unknown = req.body;
    if (body === undefined) {
      throw new AppError('invalid_payload', 'Send a JSON body with "Content-Type: application/json"');
    }
    checkPayload(without(body, checksEach), {
      name: 'The body',
      entries: BODY_ENTRIES,
      size: maxBytes,
      textLength: maxBytes,
    });
    return body;
  };
};
