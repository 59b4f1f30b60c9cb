// Target: the least that an Express route can do with the same request: it reads the body as JSON and answers 204.
import { once } from 'node:events';
import type { Server, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { answer } from './control.ts';

interface Response extends ServerResponse {
  status(code: number): this;
}

/** What this takes of Express. */
interface Express {
  (): {
    post(path: string, parse: unknown, handle: (req: unknown, res: Response) => void): void;
    listen(port: number, host: string): Server;
  };
  json(): unknown;
}

// The Express that the api has.
const express: Express = createRequire(new URL('../../../api/package.json', import.meta.url))('express');

const app = express();
app.post('/v1/publish', express.json(), (_req, res) => {
  res.status(204).end();
});
const http = app.listen(0, '127.0.0.1');
await once(http, 'listening');
const { port } = http.address() as AddressInfo; // a TCP server's address is never a string
answer({ bench: 'ready', port });
process.stdin.resume().once('close', () => process.exit(0));
