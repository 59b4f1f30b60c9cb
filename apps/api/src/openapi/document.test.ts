import { AppError, ERRORS, problem, publishRequest } from '@fanfare/protocol';
import { createLogger, createRegistry } from '@fanfare/runtime';
import type { Application } from 'express';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createApiEvents } from '../events.ts';
import { createHttpApp } from '../http/app.ts';
import type { Route } from '../http/route.ts';
import { createRoutes } from '../routes.ts';
import { createPages } from './pages.ts';

const events = createApiEvents(createLogger({ level: 'silent', bindings: {} }), createRegistry({}));
const nobody = () => Promise.reject(new AppError('unavailable'));
const routes: Route[] = createRoutes({
  publisher: { mode: 'redis', publish: nobody, nodes: nobody, [Symbol.asyncDispose]: async () => undefined },
  namespaces: ['/'],
  events,
});

const answer = z.object({
  description: z.string().min(1),
  content: z.record(z.string(), z.looseObject({ schema: z.looseObject({}) })),
});
const operation = z.object({
  operationId: z.string().min(1),
  summary: z.string().min(1),
  description: z.string().min(1),
  tags: z.array(z.string()).length(1),
  security: z.array(z.record(z.string(), z.array(z.string()))),
  requestBody: z
    .object({
      required: z.literal(true),
      content: z.object({
        'application/json': z.object({
          schema: z.looseObject({}),
          examples: z.record(z.string(), z.object({ summary: z.string(), value: z.unknown() })),
        }),
      }),
    })
    .optional(),
  responses: z.record(z.string().regex(/^[2345]\d\d$/), answer),
});
const openApi = z.object({
  openapi: z.literal('3.1.0'),
  info: z.looseObject({ title: z.string(), version: z.string() }),
  servers: z.array(z.object({ url: z.string() })),
  tags: z.array(z.looseObject({ name: z.string() })),
  paths: z.record(z.string().startsWith('/'), z.partialRecord(z.enum(['get', 'post']), operation)),
  components: z.object({
    schemas: z.record(z.string(), z.looseObject({})),
    securitySchemes: z.object({
      apiKey: z.looseObject({ type: z.literal('http'), scheme: z.literal('bearer') }),
    }),
  }),
});

const readDocument = async () => {
  const route = routes.find(({ path }) => path === '/v1/openapi.json');
  // As a caller gets it: through JSON.
  return openApi.parse(JSON.parse(JSON.stringify(await route?.run(undefined))));
};
const readOperations = async () => {
  const { paths } = await readDocument();
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, described]) => ({ name: `${method} ${path}`, ...described })),
  );
};

/** What Express keeps of a route. */
const layers = z.array(
  z.object({ route: z.object({ path: z.string(), methods: z.record(z.string(), z.boolean()) }).optional() }),
);
const routedBy = (app: Application): string[] =>
  layers
    .parse(app.router.stack)
    .flatMap(({ route }) => Object.keys(route?.methods ?? {}).map((method) => `${method} ${route?.path}`));

describe('the OpenAPI document', () => {
  it('has every route of the router, and the router has every route of it', async () => {
    const app = createHttpApp({ routes, pages: createPages(), authenticate: () => 'billing', events });
    const documented = (await readOperations()).map(({ name }) => name);
    expect(documented.sort()).toEqual(routedBy(app).sort());
    expect(documented).toContain('post /v1/publish');
  });

  it('refers only to schemas and tags that it has, under one name each', async () => {
    const document = await readDocument();
    const references = JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g);
    const names = new Set([...references].map(([, name]) => name));
    expect([...names].sort()).toEqual(Object.keys(document.components.schemas).sort());
    const operations = await readOperations();
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
    const tags = document.tags.map(({ name }) => name);
    for (const { tags: used } of operations) expect(tags).toEqual(expect.arrayContaining(used));
  });

  it('asks for an API key where the route does', async () => {
    for (const { name, security, responses } of await readOperations()) {
      const route = routes.find(({ method, path }) => name === `${method} ${path}`);
      const wanted = route?.access === 'api-key';
      expect(security).toEqual(wanted ? [{ apiKey: [] }] : []);
      expect(Object.keys(responses).includes('401')).toBe(wanted);
    }
  });

  it('shows every error answer with codes of the error table', async () => {
    const example = z.object({ value: problem });
    for (const { responses } of await readOperations()) {
      for (const [status, { content }] of Object.entries(responses)) {
        if (status === '200') continue;
        const media = z
          .object({ examples: z.record(z.string(), example) })
          .parse(content['application/problem+json']);
        expect(Object.keys(media.examples)).not.toEqual([]);
        for (const [code, { value }] of Object.entries(media.examples)) {
          expect(value).toMatchObject({ code, status: Number(status) });
          expect(Object.keys(ERRORS)).toContain(code);
        }
      }
    }
  });

  it('shows requests that the route accepts', async () => {
    const publish = (await readOperations()).find(({ name }) => name === 'post /v1/publish');
    const examples = Object.values(publish?.requestBody?.content['application/json'].examples ?? {});
    expect(examples).not.toEqual([]);
    for (const { value } of examples) expect(() => publishRequest.parse(value)).not.toThrow();
  });

  it('shows answers of the shape that it describes', () => {
    for (const { answer: described } of routes) {
      if (described.example === undefined) continue;
      expect(() => described.schema.parse(described.example)).not.toThrow();
    }
  });
});
