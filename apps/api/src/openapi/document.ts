import { AppError, ERRORS, type ErrorCode, problem } from '@fanfare/protocol';
import { z } from 'zod';
import {
  createDocument,
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathsObject,
  type ZodOpenApiResponseObject,
} from 'zod-openapi';
import { problemOf } from '../http/problem.ts';
import { defineRoute, type Route } from '../http/route.ts';

const PATH = '/v1/openapi.json';

const INTRODUCTION = `Tell the members of a room something, whichever node of the cluster they are connected to.

Every error answer is a problem document (RFC 9457) with a \`code\` of the [error table](/docs/errors); the sockets
answer with the same codes. Where \`retryable\` is true, the same request may succeed later.

This page is made from [the OpenAPI 3.1 document](/v1/openapi.json).`;

/** The route that answers with the OpenAPI document of `routes` and of itself. */
export function openApiRoute(routes: readonly Route[], version: string): Route {
  const self = defineRoute({
    method: 'get',
    path: PATH,
    operation: 'getOpenApi',
    tag: 'Operations',
    summary: 'This document',
    description: 'OpenAPI 3.1, made from the schemas that the requests are validated with.',
    access: 'open',
    answer: { schema: z.looseObject({ openapi: z.string() }), description: 'The document.' },
    errors: [],
    handle: async () => ({ ...document }),
  });
  const document = createOpenApiDocument([...routes, self], version);
  return self;
}

const createOpenApiDocument = (
  routes: readonly Route[],
  version: string,
): ReturnType<typeof createDocument> => {
  const paths: ZodOpenApiPathsObject = {};
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method]: operationOf(route) };
  }
  return createDocument({
    openapi: '3.1.0',
    info: { title: 'Fanfare', version, description: INTRODUCTION },
    servers: [{ url: '/' }],
    tags: [
      { name: 'Publishing', description: 'For the backends of your products' },
      { name: 'Users', description: 'Who may hear what, and whose connections end' },
      { name: 'Rooms', description: 'What rooms keep of their past' },
      { name: 'Operations', description: 'For who runs the cluster' },
    ],
    paths,
    components: {
      securitySchemes: {
        apiKey: {
          type: 'http',
          scheme: 'bearer',
          description: 'An API key of FANFARE_API_KEYS, with the scope of the route or without any',
        },
      },
    },
  });
};

const operationOf = (route: Route): ZodOpenApiOperationObject => {
  const codes: ErrorCode[] = [
    ...route.errors,
    ...(route.body === undefined ? [] : (['payload_too_large'] as const)),
    ...(route.access === 'open' ? [] : (['api_key_invalid', 'forbidden', 'rate_limited'] as const)),
    'internal',
  ];
  return {
    operationId: route.operation,
    summary: route.summary,
    description: route.access === 'open' ? route.description : `${route.description} ${scopeText(route)}`,
    tags: [route.tag],
    security: route.access === 'open' ? [] : [{ apiKey: [route.access] }],
    ...((route.params || route.query) && {
      requestParams: {
        ...(route.params && { path: route.params }),
        ...(route.query && { query: route.query }),
      },
    }),
    ...(route.body && {
      requestBody: {
        required: !route.body.isOptional,
        content: { 'application/json': jsonBody(route.body) },
      },
    }),
    responses: {
      '200': {
        description: route.answer.description,
        content: { 'application/json': jsonAnswer(route.answer) },
      },
      ...problemAnswers(codes),
    },
  };
};

const scopeText = ({ access, path, permitsInBody }: Route): string =>
  `The API key needs the scope \`${access}\`${permitsInBody || path.includes('{room}') ? ', for every room or for those that are concerned' : ''}.`;

const jsonAnswer = ({ schema, example }: Route['answer']) => ({
  schema,
  ...(example !== undefined && { example }),
});

const jsonBody = ({ schema, documented, examples }: NonNullable<Route['body']>) => ({
  schema: documented ?? schema,
  examples,
});

/** One answer per status, with an example for each code that it may carry. */
const problemAnswers = (codes: readonly ErrorCode[]): Record<`4${string}`, ZodOpenApiResponseObject> =>
  Object.fromEntries(
    [...Map.groupBy(codes, (code) => ERRORS[code].status)].map(([status, group]) => [
      String(status),
      {
        description: group.map((code) => ERRORS[code].message).join(' · '),
        ...headersOf(group),
        content: {
          'application/problem+json': {
            schema: problem,
            examples: Object.fromEntries(
              group.map((code) => [
                code,
                { summary: ERRORS[code].message, value: problemOf(new AppError(code)) },
              ]),
            ),
          },
        },
      },
    ]),
  );

const headersOf = (codes: readonly ErrorCode[]): Pick<ZodOpenApiResponseObject, 'headers'> => {
  if (codes.includes('api_key_invalid')) {
    return { headers: { 'WWW-Authenticate': { schema: { type: 'string' }, description: 'Bearer' } } };
  }
  if (codes.some((code) => ERRORS[code].retryable)) {
    const description = 'Seconds after which the same request may succeed';
    return { headers: { 'Retry-After': { schema: { type: 'integer' }, description } } };
  }
  return {};
};
