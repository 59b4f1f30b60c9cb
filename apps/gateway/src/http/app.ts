import { type IncomingMessage, request } from 'node:http';
import { pipeline } from 'node:stream';
import { ERRORS, type Problem } from '@fanfare/protocol';
import cors from 'cors';
import express, { type Express, type Request, type Response } from 'express';
import helmet from 'helmet';
import type { GatewayConfig } from '../config.ts';

const CONSOLE_FOLDER = new URL('console/', import.meta.url).pathname;

/** The HTTP side of the public port: health, and pages where the configuration asks for them. */
export function createHttpApp(config: GatewayConfig): Express {
  const app = express();
  app.disable('x-powered-by');
  // Pages are served over plain HTTP on a developer's machine, so nothing may be upgraded to HTTPS.
  app.use(helmet({ contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } } }));
  app.use(cors(config.cors));
  app.get('/api/health', (_req, res) => {
    res.json({ status: 'ok' });
  });
  const { apiUrl } = config;
  if (apiUrl !== undefined) app.use(['/v1', '/docs'], (req, res) => forward(apiUrl, req, res));
  if (config.pages !== undefined) app.use(express.static(config.pages));
  if (config.console) app.use(express.static(CONSOLE_FOLDER));
  return app;
}

/** Where a request goes: only its path and query count, because a target may name a host of its own. */
const targetOf = (apiUrl: string, { originalUrl }: Request): URL => {
  const [, path = '/', search = ''] = /^(?:[^/?]+:\/\/[^/?]*)?([^?]*)(.*)$/.exec(originalUrl) ?? [];
  return Object.assign(new URL(apiUrl), { pathname: path, search });
};

/** Hands a request to the api as it is; what nginx does where there is one. */
const forward = (apiUrl: string, req: Request, res: Response): void => {
  const upstream = request(
    targetOf(apiUrl, req),
    { method: req.method, headers: req.headers },
    (answer: IncomingMessage) => {
      res.writeHead(answer.statusCode ?? 502, answer.headers);
      // Half an answer ends the client's connection: the client must not wait for the rest.
      pipeline(answer, res, () => undefined);
    },
  );
  upstream.on('error', () => {
    if (res.headersSent) res.destroy();
    else answerUnavailable(res);
  });
  req.pipe(upstream);
};

/** What the api's own errors look like, and what nginx answers for an api that is away. */
const answerUnavailable = (res: Response): void => {
  const code = 'unavailable';
  const { message: title, status, retryable } = ERRORS[code];
  const body: Problem = { type: `/docs/errors#${code}`, title, status, code, retryable };
  res.status(status).set('Retry-After', '1').type('application/problem+json').send(JSON.stringify(body));
};
