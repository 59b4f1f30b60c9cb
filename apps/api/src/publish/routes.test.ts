import { glob, readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import type { Publication } from '@fanfare/cluster';
import { AppError, LIMITS } from '@fanfare/protocol';
import { describe, expect, it } from 'vitest';
import { publishRoutes } from './routes.ts';

const SOURCES = join(import.meta.dirname, '..');

/** The route with a publisher that keeps what it is given. */
const createRoute = () => {
  const taken: Publication[] = [];
  const publisher = { publish: async (publication: Publication) => void taken.push(publication) };
  const [route] = publishRoutes({ publisher, namespaces: ['/', '/chat'], observe: () => undefined });
  if (route === undefined) throw new Error('no route');
  return { taken, publish: (body: unknown) => route.run(body) };
};

const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);
const codeOf = (publishing: Promise<unknown>) =>
  publishing.then(
    () => 'accepted',
    (error: unknown) => AppError.from(error).code,
  );

describe('the publish route', () => {
  it('publishes through what it was given, with a result per room (row 11)', async () => {
    const { taken, publish } = createRoute();
    const answer = await publish({
      rooms: ['project:42', 'team:design', 'project:42'],
      except: ['muted:42'],
      event: 'task:created',
      data: { id: 7 },
      id: 'abc',
      namespace: '/chat',
    });
    expect(taken).toEqual([
      {
        namespace: '/chat',
        rooms: ['project:42', 'team:design'],
        except: ['muted:42'],
        event: 'task:created',
        data: { id: 7 },
        id: 'abc',
      },
    ]);
    expect(answer).toEqual({
      results: ['project:42', 'team:design'].map((room) => ({
        room,
        epoch: '',
        offset: null,
        duplicate: false,
      })),
    });
  });

  it.each([
    ['65536 bytes of data', 'x'.repeat(LIMITS.eventBytes - 2), 'accepted'],
    ['65537 bytes of data', 'x'.repeat(LIMITS.eventBytes - 1), 'payload_too_large'],
    ['more bytes than characters', 'é'.repeat(LIMITS.eventBytes / 2), 'payload_too_large'],
    ['data nested 100 levels deep', nested(100), 'accepted'],
    ['data nested 101 levels deep', nested(101), 'invalid_payload'],
    ['null as data', null, 'accepted'],
  ])('answers %s with %3$s', async (_name, data, code) => {
    const { publish } = createRoute();
    expect(await codeOf(publish({ room: 'project:42', event: 'task:created', data }))).toBe(code);
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
