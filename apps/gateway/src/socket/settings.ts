import { LIMITS } from '@fanfare/protocol';
import { flag, wholeNumber } from '@fanfare/runtime';
import type { z } from 'zod';

/** How connections are held open, and what one may send before anybody knows who it is. */
export const engineSettings = {
  FANFARE_PING_INTERVAL_MS: wholeNumber(1000, 60_000)
    .default(25_000)
    .describe('Time between pings, in ms; with the timeout less than what proxies wait (nginx.conf: 90 s)'),
  FANFARE_PING_TIMEOUT_MS: wholeNumber(1000, 60_000)
    .default(20_000)
    .describe('Time for the answer to a ping, in ms; after it the client is gone'),
  FANFARE_CONNECT_TIMEOUT_MS: wholeNumber(100, 60_000)
    .default(8000)
    .describe('Time for a connection to join a namespace, in ms; until then nobody knows who it is'),
  FANFARE_UPGRADE_TIMEOUT_MS: wholeNumber(100, 60_000)
    .default(10_000)
    .describe('Time for an upgrade from polling to websocket, in ms'),
  FANFARE_MAX_MESSAGE_BYTES: wholeNumber(80_000, LIMITS.payloadSize)
    .default(100_000)
    .describe(
      'Largest message or poll of a client: an event of 64 KB with its envelope. 1 MB blocks a node for 0.5 s. nginx.conf takes polls up to 1 MB (`client_max_body_size`)',
    ),
  FANFARE_MAX_PENDING_BYTES: wholeNumber(65_536, 1_000_000_000)
    .default(1_048_576)
    .describe(
      'Bytes that may wait for a connection that does not take them; beyond it ephemeral events are dropped, then it is closed. Not with FANFARE_FANOUT off',
    ),
  FANFARE_MAX_ATTACHMENTS: wholeNumber(1, 100)
    .default(10)
    .describe(
      'Most binary parts of one event; a connection holds that many messages until the last has come',
    ),
  FANFARE_HTTP_COMPRESSION: flag
    .default(false)
    .describe(
      'Compress answers to polls: costs CPU for the few clients that poll. Websockets are never compressed',
    ),
  FANFARE_HTTP_HEADERS_TIMEOUT_MS: wholeNumber(100, 600_000)
    .default(10_000)
    .describe('Time for the headers of a request, in ms: who sends them byte by byte is cut off'),
  FANFARE_HTTP_REQUEST_TIMEOUT_MS: wholeNumber(100, 600_000)
    .default(30_000)
    .describe('Time for a whole request, in ms; at least that for its headers'),
  FANFARE_HTTP_KEEP_ALIVE_MS: wholeNumber(100, 600_000)
    .default(65_000)
    .describe(
      'How long an idle HTTP connection stays open, in ms: longer than load balancers keep it (60 s)',
    ),
  FANFARE_HTTP_MAX_HEADER_BYTES: wholeNumber(1024, 65_536)
    .default(16_384)
    .describe('Largest headers of a request; cookies of a product stand among them'),
  FANFARE_HTTP_MAX_CONNECTIONS: wholeNumber(1, 10_000_000)
    .default(120_000)
    .describe(
      'Most TCP connections of the public port; above FANFARE_LIMIT_NODE_CONNECTIONS, as polling takes several',
    ),
};

type EngineSettings = z.output<z.ZodObject<typeof engineSettings>>;

export type EngineConfig = ReturnType<typeof readEngine>;

export const readEngine = (settings: EngineSettings) =>
  ({
    pingIntervalMs: settings.FANFARE_PING_INTERVAL_MS,
    pingTimeoutMs: settings.FANFARE_PING_TIMEOUT_MS,
    connectTimeoutMs: settings.FANFARE_CONNECT_TIMEOUT_MS,
    upgradeTimeoutMs: settings.FANFARE_UPGRADE_TIMEOUT_MS,
    maxMessageBytes: settings.FANFARE_MAX_MESSAGE_BYTES,
    maxPendingBytes: settings.FANFARE_MAX_PENDING_BYTES,
    maxAttachments: settings.FANFARE_MAX_ATTACHMENTS,
    httpCompression: settings.FANFARE_HTTP_COMPRESSION,
    headersTimeoutMs: settings.FANFARE_HTTP_HEADERS_TIMEOUT_MS,
    requestTimeoutMs: settings.FANFARE_HTTP_REQUEST_TIMEOUT_MS,
    keepAliveMs: settings.FANFARE_HTTP_KEEP_ALIVE_MS,
    maxHeaderBytes: settings.FANFARE_HTTP_MAX_HEADER_BYTES,
    maxConnections: settings.FANFARE_HTTP_MAX_CONNECTIONS,
  }) as const;

/** What does not go together. */
export const engineConflicts = (given: Readonly<Record<string, string>>): string[] => {
  const headersMs = Number(given.FANFARE_HTTP_HEADERS_TIMEOUT_MS ?? 10_000);
  const requestMs = Number(given.FANFARE_HTTP_REQUEST_TIMEOUT_MS ?? 30_000);
  if (headersMs <= requestMs) return [];
  return ['FANFARE_HTTP_REQUEST_TIMEOUT_MS is shorter than FANFARE_HTTP_HEADERS_TIMEOUT_MS: raise it'];
};
