import { glob, readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import type { Publication, Publishing } from '@fanfare/cluster';
import { AppError, LIMITS } from '@fanfare/protocol';
import { describe, expect, it } from 'vitest';
import { PartialFailure } from '../http/errors.ts';
import type { Route } from '../http/route.ts';
import { publishRoutes } from './routes.ts';

const SOURCES = join(import.meta.dirname, '..');

const AT = { epoch: '9f86d081884c7d65', offset: 1, duplicate: false };
const unavailable = new AppError('unavailable');

/** Any key, but that it may publish nothing in one room. */
const caller = {
  name: 'billing',
  permit: (_action: string, room?: string) => {
    if (room === 'secret:1') throw new AppError('forbidden');
  },
  spend: () => undefined,
};

/** The routes with a publisher that keeps what it is given; what goes to a room of `away` fails. */
const createRoutes = (away: Readonly<Record<string, AppError>> = {}) => {
  const taken: Publication[] = [];
  const counted: unknown[] = [];
  const publish = async (publication: Publication) => {
    taken.push(publication);
    return publication.rooms.map((room): Publishing => {
      const error = away[room];
      return error ? { room, error } : { room, ...AT };
    });
  };
  const [one, batch] = publishRoutes({
    publisher: { publish, publishMany: (publications) => Promise.all(publications.map(publish)) },
    namespaces: ['/', '/chat'],
    events: {
      bus: {
        publishDropped: (error) => counted.push(error),
        invalidMessage: () => undefined,
        missed: () => undefined,
        partialAnswer: () => undefined,
        roomReset: () => undefined,
      },
      published: () => undefined,
      batchAnswered: () => undefined,
      commandsSettled: (outcomes) => counted.push(...outcomes),
    },
  });
  if (one === undefined || batch === undefined) throw new Error('no routes');
  const run = (route: Route) => (body: unknown) => route.run({ params: {}, query: {}, body, caller });
  return { taken, counted, publish: run(one), batch: run(batch) };
};

/** What a request was refused with. */
const failureOf = async (answer: Promise<unknown>): Promise<PartialFailure> => {
  const error: unknown = await answer.catch((thrown: unknown) => thrown);
  if (error instanceof PartialFailure) return error;
  throw new Error('nothing was refused', { cause: error });
};

const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);
const codeOf = (publishing: Promise<unknown>) =>
  publishing.then(
    () => 'accepted',
    (error: unknown) => AppError.from(error).code,
  );

const EVENT = { event: 'task:created', data: { id: 7 } };

describe('the publish route', () => {
  it('publishes through what it was given, with a result per room (row 11)', async () => {
    const { taken, publish } = createRoutes();
    const answer = await publish({
      rooms: ['project:42', 'team:design', 'project:42'],
      except: ['alice'],
      ...EVENT,
      id: 'abc',
      namespace: '/chat',
    });
    expect(taken).toEqual([
      {
        namespace: '/chat',
        rooms: ['project:42', 'team:design'],
        except: ['alice'],
        ...EVENT,
        id: 'abc',
        publisher: 'key:billing',
        ephemeral: false,
      },
    ]);
    expect(answer).toEqual({ results: ['project:42', 'team:design'].map((room) => ({ room, ...AT })) });
  });

  it('tells what became of each room when one did not take the event', async () => {
    const { publish, counted } = createRoutes({ 'team:design': unavailable });
    const failure = await failureOf(publish({ rooms: ['project:42', 'team:design'], ...EVENT }));
    expect(failure).toMatchObject({
      code: 'unavailable',
      message: '1 of 2 rooms did not take the event: see results',
      results: [
        { room: 'project:42', ...AT },
        { room: 'team:design', error: unavailable.toWire() },
      ],
    });
    expect(counted).toEqual([]);
  });

  it('says of several failures the one that a retry can mend', async () => {
    const { publish } = createRoutes({ 'project:1': new AppError('internal'), 'project:2': unavailable });
    const failure = await failureOf(publish({ rooms: ['project:1', 'project:2'], ...EVENT }));
    expect(failure.code).toBe('unavailable');
  });

  it('counts an ephemeral event that was not taken as dropped', async () => {
    const { publish, taken, counted } = createRoutes({ 'project:42': unavailable });
    await failureOf(publish({ room: 'project:42', except: ['muted:42'], ...EVENT, ephemeral: true }));
    expect(taken).toMatchObject([{ ephemeral: true, except: ['muted:42'] }]);
    expect(counted).toEqual([unavailable]);
  });

  it.each([
    ['65536 bytes of data', 'x'.repeat(LIMITS.eventBytes - 2), 'accepted'],
    ['65537 bytes of data', 'x'.repeat(LIMITS.eventBytes - 1), 'payload_too_large'],
    ['more bytes than characters', 'é'.repeat(LIMITS.eventBytes / 2), 'payload_too_large'],
    ['data nested 100 levels deep', nested(100), 'accepted'],
    ['data nested 101 levels deep', nested(101), 'invalid_payload'],
    ['null as data', null, 'accepted'],
  ])('answers %s with %3$s', async (_name, data, code) => {
    const { publish } = createRoutes();
    expect(await codeOf(publish({ room: 'project:42', event: 'task:created', data }))).toBe(code);
  });
});

describe('the batch route', () => {
  const to = (room: string, changes: Record<string, unknown> = {}) => ({ room, ...EVENT, ...changes });

  it('publishes its commands in order, with a result for each', async () => {
    const { batch, taken, counted } = createRoutes();
    const rooms = ['project:1', 'project:2', 'project:1'];
    const answer = await batch({ commands: rooms.map((room) => to(room)) });
    expect(answer).toEqual({ results: rooms.map((room) => ({ results: [{ room, ...AT }] })) });
    expect(taken.map((publication) => publication.rooms)).toEqual(rooms.map((room) => [room]));
    expect(counted).toEqual(['accepted', 'accepted', 'accepted']);
  });

  it('carries out the others when some commands are bad, and says which and why', async () => {
    const { batch, taken, counted } = createRoutes();
    const failure = await failureOf(
      batch({
        commands: [
          to('lobby'),
          to('project:1', { data: 'x'.repeat(LIMITS.eventBytes) }),
          to('project:1', { namespace: '/admin' }),
          7,
          to('project:2'),
        ],
      }),
    );
    expect(failure).toMatchObject({
      code: 'invalid_payload',
      message: '4 of 5 commands failed: see results',
      results: [
        { error: { code: 'invalid_payload', message: expect.stringMatching(/^"room": a room name/) } },
        { error: { code: 'payload_too_large', retryable: false } },
        { error: { code: 'not_found', message: 'There is no namespace "/admin" in this cluster' } },
        { error: { code: 'invalid_payload', message: expect.stringMatching(/^The command: /) } },
        { results: [{ room: 'project:2', ...AT }] },
      ],
    });
    expect(taken.map((publication) => publication.rooms)).toEqual([['project:2']]);
    expect(counted).toEqual([
      'invalid_payload',
      'payload_too_large',
      'not_found',
      'invalid_payload',
      'accepted',
    ]);
  });

  it('is unavailable when the cluster did not take all of it', async () => {
    const { batch } = createRoutes({ 'project:2': unavailable });
    const failure = await failureOf(batch({ commands: [to('lobby'), to('project:1'), to('project:2')] }));
    expect(failure.code).toBe('unavailable');
    expect(failure.results).toMatchObject([
      { error: { code: 'invalid_payload' } },
      { results: [{ room: 'project:1' }] },
      { results: [{ room: 'project:2', error: { code: 'unavailable', retryable: true } }] },
    ]);
  });

  it.each([
    [{ commands: [] }],
    [{ commands: Array.from({ length: 1001 }, () => to('project:1')) }],
    [{ commands: to('project:1') }],
    [[to('project:1')]],
    [{ publishes: [to('project:1')] }],
  ])('refuses a body that is no batch', async (body) => {
    const { batch, taken } = createRoutes();
    expect(await codeOf(batch(body))).toBe('invalid_payload');
    expect(taken).toEqual([]);
  });
});

const SERVER_MODULES = ['express', 'helmet', 'node:http', 'node:cluster', 'socket.io', 'api.ts', 'main.ts'];

/** Modules that a source file loads, directly or through other source files. */
const loadedBy = async (file: string, seen = new Set<string>()): Promise<Set<string>> => {
  const text = await readFile(join(SOURCES, file), 'utf8');
  for (const [, from = ''] of text.matchAll(/^(?:import|export) [^;]*?from '([^']+)'/gm)) {
    const name = from.startsWith('.') ? relative(SOURCES, join(SOURCES, dirname(file), from)) : from;
    if (seen.has(name)) continue;
    seen.add(name);
    if (from.startsWith('.')) await loadedBy(name, seen);
  }
  return seen;
};

describe('route modules', () => {
  it('load no server module, so nothing is circular or global (row 11)', async () => {
    const files: string[] = [];
    for await (const file of glob('*/routes.ts', { cwd: SOURCES })) files.push(file);
    expect(files).toContain('publish/routes.ts');
    for (const file of files) {
      const loaded = await loadedBy(file);
      expect(loaded).toContain('http/route.ts');
      expect([...loaded].filter((name) => SERVER_MODULES.includes(name))).toEqual([]);
    }
  });
});
