import { AppError, batchRequest, ERRORS, problem, publishRequest } from '@fanfare/protocol';
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
  publisher: {
    mode: 'redis',
    log: undefined,
    presence: undefined,
    publish: nobody,
    publishMany: nobody,
    order: nobody,
    nodes: nobody,
    [Symbol.asyncDispose]: async () => undefined,
  },
  namespaces: ['/'],
  events,
  redisWarnings: nobody,
});

const BILLING = { name: 'billing', permit: () => undefined, spend: () => undefined };
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
  parameters: z
    .array(
      z.object({
        in: z.enum(['path', 'query']),
        name: z.string(),
        required: z.boolean().optional(),
        description: z.string().optional(),
        schema: z.looseObject({ type: z.string() }),
      }),
    )
    .optional(),
  requestBody: z
    .object({
      required: z.boolean(),
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
  paths: z.record(z.string().startsWith('/'), z.partialRecord(z.enum(['get', 'post', 'delete']), operation)),
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
  return openApi.parse(
    JSON.parse(JSON.stringify(await route?.run({ params: {}, query: {}, body: undefined, caller: BILLING }))),
  );
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
    .flatMap(({ route }) =>
      Object.keys(route?.methods ?? {}).map(
        (method) => `${method} ${route?.path.replaceAll(/:(\w+)/g, '{$1}')}`,
      ),
    );

describe('the OpenAPI document', () => {
  it('has every route of the router, and the router has every route of it', async () => {
    const app = createHttpApp({ routes, pages: createPages(), identify: () => BILLING, events });
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

  it('asks for an API key with the scope of the route, and shows what happens without', async () => {
    for (const { name, description, security, responses } of await readOperations()) {
      const access = routes.find(({ method, path }) => name === `${method} ${path}`)?.access ?? '';
      const isOpen = access === 'open';
      expect(security).toEqual(isOpen ? [] : [{ apiKey: [access] }]);
      expect(description.includes(`needs the scope \`${access}\``)).toBe(!isOpen);
      for (const status of ['401', '403', '429'])
        expect(Object.keys(responses).includes(status)).toBe(!isOpen);
    }
  });

  it('shows of every route that takes a body what happens to one that is too large', async () => {
    for (const { name, requestBody, responses } of await readOperations()) {
      expect({ name, isShown: '413' in responses }).toEqual({
        name,
        isShown: requestBody !== undefined,
      });
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

  it('describes every parameter of a path and of a query by what it may be', async () => {
    const operations = await readOperations();
    for (const { name, parameters = [] } of operations) {
      const inPath = parameters.filter((parameter) => parameter.in === 'path');
      expect(inPath.map((parameter) => `{${parameter.name}}`)).toEqual(name.match(/\{\w+\}/g) ?? []);
      for (const { required } of inPath) expect(required).toBe(true);
    }
    const history = operations.find(({ name }) => name === 'get /v1/rooms/{room}/history')?.parameters ?? [];
    const types = history.map(({ name, schema: { type, minimum, maximum, default: preset } }) => [
      name,
      { type, minimum, maximum, preset },
    ]);
    expect(Object.fromEntries(types)).toMatchObject({
      room: { type: 'string' },
      since: { type: 'integer', minimum: 0 },
      limit: { type: 'integer', minimum: 1, maximum: 500, preset: 100 },
      direction: { type: 'string', preset: 'forward' },
      namespace: { type: 'string', preset: '/' },
    });
  });

  it.each([
    ['post /v1/publish', publishRequest],
    ['post /v1/batch', batchRequest],
  ])('shows requests that %s accepts', async (name, schema) => {
    const described = (await readOperations()).find((operation) => operation.name === name);
    const examples = Object.values(described?.requestBody?.content['application/json'].examples ?? {});
    expect(examples).not.toEqual([]);
    for (const { value } of examples) expect(() => schema.parse(value)).not.toThrow();
  });

  it('shows answers of the shape that it describes', () => {
    for (const { answer: described } of routes) {
      if (described.example === undefined) continue;
      expect(() => described.schema.parse(described.example)).not.toThrow();
    }
  });
});
