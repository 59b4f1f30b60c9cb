import express, { type ErrorRequestHandler, type Express, type RequestHandler, type Router } from 'express';
import helmet from 'helmet';
import type { Logger } from 'pino';
import type { ErrorAnswer } from '../contract.ts';
import { BoardError } from './error.ts';

/** The page loads nothing from elsewhere, and its sockets go where it comes from. */
const CONTENT_SECURITY = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  imgSrc: ["'self'", 'data:'],
  connectSrc: ["'self'"],
  manifestSrc: ["'self'"],
  baseUri: ["'none'"],
  formAction: ["'self'"],
  frameAncestors: ["'none'"],
};

/**
 * Requests that change something come from our own pages only. The cookie is SameSite=Lax already; this also covers
 * other ports and subdomains of the site, and browsers say one of the two headers with every such request.
 */
const ownOriginOnly: RequestHandler = (request, _response, next) => {
  if (request.method === 'GET' || request.method === 'HEAD') return next();
  const { origin, host } = request.headers;
  const site = request.headers['sec-fetch-site'];
  const isForeignSite = site !== undefined && site !== 'same-origin' && site !== 'none';
  const isForeignOrigin = origin !== undefined && (URL.parse(origin)?.host ?? '') !== host;
  next(isForeignSite || isForeignOrigin ? new BoardError('foreign_origin') : undefined);
};

const answerError =
  (log: Logger): ErrorRequestHandler =>
  (thrown, request, response, next) => {
    const error = BoardError.from(thrown);
    if (error.status >= 500) {
      log.error({ err: error.cause ?? error, method: request.method, path: request.path }, 'request failed');
    }
    if (response.headersSent) return next(thrown);
    const answer: ErrorAnswer = { error: { code: error.code, message: error.message } };
    response.status(error.status).json(answer);
  };

export interface AppOptions {
  log: Logger;
  /** What keeps the board from working; undefined when nothing does. */
  problem: () => Promise<string | undefined>;
  routers: readonly Router[];
  /** Folder of the built page. */
  page: string;
}

/** Everything that the board serves, below `/board`; the two routes for its supervisor are not published by nginx. */
export const createApp = ({ log, problem, routers, page }: AppOptions): Express => {
  const app = express();
  // The balancer in front says where a request came from; only private addresses are believed.
  app.set('trust proxy', ['loopback', 'linklocal', 'uniquelocal']);
  app.set('query parser', 'simple');
  app.disable('etag');
  app.use(
    helmet({
      contentSecurityPolicy: { useDefaults: false, directives: CONTENT_SECURITY },
      // A developer's machine serves plain HTTP; whoever ends TLS says this.
      strictTransportSecurity: false,
    }),
  );

  app.get('/livez', (_request, response) => void response.json({ alive: true }));
  app.get('/readyz', async (_request, response) => {
    const found = await problem();
    response
      .status(found === undefined ? 200 : 503)
      .json({ ready: found === undefined, reasons: found ? [found] : [] });
  });

  const api = express.Router();
  api.use(ownOriginOnly, express.json({ limit: '64kb', strict: true }));
  api.use((_request, response, next) => {
    response.set('cache-control', 'no-store');
    next();
  });
  for (const router of routers) api.use(router);
  api.use(() => {
    throw new BoardError('not_found');
  });
  app.use('/board/api', api);

  // The names of the assets change with what is in them.
  app.use('/board/assets', express.static(`${page}/assets`, { immutable: true, maxAge: '1y', index: false }));
  app.get(['/board', '/board/*path'], (request, response) => {
    if (request.path === '/board') return response.redirect(308, '/board/');
    response.set('cache-control', 'no-cache').sendFile('index.html', { root: page });
  });
  app.use(answerError(log));
  return app;
};
