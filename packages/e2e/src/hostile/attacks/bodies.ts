import { gzipSync } from 'node:zlib';
import { type Attack, cutAfter } from '../attack.ts';
import { RawConnection } from '../connection.ts';

const deep = (depth: number) => '{"a":'.repeat(depth);
const event = (data: string) => `{"room":"fuzz:1","event":"a:b","data":${data}}`;
const JSON_TYPE = 'application/json';

/** Bodies of which none is a request of the api. */
const BODIES: readonly { body: string | Buffer; type?: string; headers?: string }[] = [
  { body: '' },
  { body: '{' },
  { body: 'null' },
  { body: '"text"' },
  { body: '[]' },
  { body: '{"room":1,"event":2}' },
  { body: event(`${'['.repeat(400_000)}`) },
  { body: event(`${deep(50_000)}1${'}'.repeat(50_000)}`) },
  { body: event(`${'['.repeat(5000)}${']'.repeat(5000)}`) },
  { body: event('{"__proto__":{"x":1}}') },
  { body: event('1e999').replace('a:b', 'disconnect') },
  { body: event(`"${'x'.repeat(3_000_000)}"`) },
  { body: `{"commands":${'['.repeat(100_000)}` },
  { body: `{"commands":[${Array.from({ length: 2000 }, () => event('1')).join(',')}]}` },
  { body: Buffer.from([0xff, 0xfe, 0x00, 0x22]) },
  { body: event('1'), type: 'text/plain' },
  { body: event('1'), type: `${JSON_TYPE}; charset=utf-99` },
  { body: event('1'), type: 'multipart/form-data; boundary=' },
  { body: gzipSync(Buffer.alloc(50_000_000, ' ')), headers: 'Content-Encoding: gzip\r\n' },
  { body: 'not gzip', headers: 'Content-Encoding: gzip\r\n' },
  { body: event('1'), headers: 'Content-Encoding: rot13\r\n' },
];

/** Requests that are none of HTTP. */
const RAW = [
  'POST /v1/publish HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n{}',
  'POST /v1/publish HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}',
  'POST /v1/publish HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n',
  'POST /v1/publish HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n',
  'POST /v1/publish HTTP/9.9\r\n\r\n',
  `GET /${'a'.repeat(70_000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
  `GET / HTTP/1.1\r\nHost: a\r\n${'X-A: b\r\n'.repeat(5000)}\r\n`,
  'GET /%ff%fe%00 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
  'GET //socket.io/?EIO=4&EIO=5&transport=polling&transport[]=x&sid[a]=b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
  'GET /socket.io/?EIO=4&transport=constructor HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
  'GET /socket.io/?EIO=4&transport=websocket&sid=__proto__ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
  '\u0000\u0001\u0002\r\n\r\n',
];

/** What the request for HTTP 9.9 deserves. */
const WRONG_VERSION = 505;

const PATHS = [
  '/v1/publish',
  '/v1/batch',
  '/v1/revocations',
  '/v1/users/a/publish',
  '/v1/users/a/disconnect',
];

interface Answer {
  /** 0 when there is none. */
  status: number;
  hasEnded: boolean;
}

const send = async (port: number, head: string, body: string | Buffer): Promise<Answer> => {
  using connection = await RawConnection.open(port);
  await connection.write(head);
  await connection.write(body);
  const hasEnded = Number.isFinite(await cutAfter(connection, 0));
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(connection.begin)?.[1] ?? 0), hasEnded };
};

export const malformedBodies: Attack = {
  name: 'malformed HTTP requests and bodies',
  run: async ({ stack }) => {
    const ports = [stack.url, stack.api.url].map((url) => Number(new URL(url).port));
    const nodePorts = stack.nodes.map(({ port }) => port);
    const statuses: ({ what: string } & Answer)[] = [];
    for (const port of ports) {
      for (const path of PATHS) {
        await Promise.all(
          BODIES.map(async ({ body, type = JSON_TYPE, headers = '' }, i) => {
            const head = `POST ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer ${stack.apiKey}\r\nContent-Type: ${type}\r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
            statuses.push({ what: `${path} body ${i}`, ...(await send(port, head, body)) });
          }),
        );
      }
    }
    for (const port of [...ports, ...nodePorts]) {
      await Promise.all(
        RAW.map(async (request, i) => {
          statuses.push({ what: `raw ${i}`, ...(await send(port, request, '')) });
        }),
      );
    }
    const wrong = statuses.filter(({ status }) => status >= 500 && status !== WRONG_VERSION);
    const first = wrong[0] && ` (${wrong[0].what}: ${wrong[0].status})`;
    return {
      sent: statuses.length,
      checks: [
        { name: `answers of 500 and above${first ?? ''}`, value: wrong.length, exactly: 0 },
        {
          name: 'requests left without an end',
          value: statuses.filter(({ hasEnded }) => !hasEnded).length,
          exactly: 0,
        },
      ],
    };
  },
};
