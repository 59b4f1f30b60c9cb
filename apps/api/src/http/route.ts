import { AppError, type ErrorCode } from '@fanfare/protocol';
import type { z } from 'zod';
import type { Outcome } from '../events.ts';
import type { Caller } from '../keys/key-ring.ts';
import type { ScopeAction } from '../keys/scopes.ts';
import { explain } from './errors.ts';

export interface RequestOutcome {
  outcome: Outcome;
  /** Name of the API key; absent when none was valid. */
  publisher: string | undefined;
  seconds: number;
}

/** What a request brings; nothing of it is validated yet. */
export interface RawRequest {
  params: unknown;
  query: unknown;
  body: unknown;
  caller: Caller;
}

interface RouteFacts {
  method: 'get' | 'post' | 'delete';
  /** As OpenAPI writes it: `/v1/rooms/{room}/history`. */
  path: string;
  /** Unique name of the operation in the OpenAPI document. */
  operation: string;
  /** The group it stands in on the page. */
  tag: 'Publishing' | 'Rooms' | 'Users' | 'Operations';
  summary: string;
  description: string;
  /** The scope that the API key of a caller needs, for the room of the path where there is one; `open` takes no key. */
  access: ScopeAction | 'open';
  /** The rooms stand in the body: `handle` asks `caller.permit` for each, and a key for some rooms gets that far. */
  permitsInBody?: true;
  /** How many units of its key's rate a request costs, by its body, of which nothing is validated yet. Default: one. */
  unitsOf?: (body: unknown) => number;
  /** Codes that this route answers beside those that every route may. */
  errors: readonly ErrorCode[];
  /** Hears how each request to the route ended. */
  observe?: (outcome: RequestOutcome) => void;
}

interface Body<Schema extends z.ZodType> {
  schema: Schema;
  /** What the document shows where it says more than the schema, which checks no further than a route wants. */
  documented?: z.ZodType;
  /** A request without a body is one with an empty object. */
  isOptional?: boolean;
  /** Property whose elements the route checks one by one, so that a bad one does not take the others with it. */
  checksEach?: string;
  /** Largest body, in bytes. */
  maxBytes: number;
  examples: Record<string, { summary: string; value: unknown }>;
}

interface Answer<Schema extends z.ZodType> {
  schema: Schema;
  description: string;
  example?: z.input<Schema>;
}

/** A route is data: one definition gives the router, the validation and the OpenAPI document. */
export interface Route extends RouteFacts {
  params?: z.ZodObject;
  query?: z.ZodObject;
  body?: Body<z.ZodType>;
  answer: Answer<z.ZodType>;
  /** Validates the request, does the work and returns the answer; throws for everything else. */
  run(request: RawRequest): Promise<unknown>;
}

const parse = <Schema extends z.ZodType>(
  part: string,
  schema: Schema | undefined,
  value: unknown,
): z.output<Schema> => {
  // Without a schema there is nothing to hand over, and its type has nothing to read.
  if (schema === undefined) return {} as z.output<Schema>;
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new AppError('invalid_payload', explain(parsed.error, part));
  return parsed.data;
};

type Nothing = z.ZodObject<Record<never, never>>;

/** Defines a route; `handle` gets what its schemas made of the request. */
export const defineRoute = <
  Result extends z.ZodType,
  Params extends z.ZodObject = Nothing,
  Query extends z.ZodObject = Nothing,
  Input extends z.ZodType = Nothing,
>(
  definition: RouteFacts & {
    params?: Params;
    query?: Query;
    body?: Body<Input>;
    answer: Answer<Result>;
    handle: (request: {
      params: z.output<Params>;
      query: z.output<Query>;
      body: z.output<Input>;
      caller: Caller;
    }) => Promise<z.input<Result>>;
  },
): Route => {
  const { params, query, body, handle } = definition;
  return {
    ...definition,
    run: async (request) =>
      handle({
        params: parse('The path', params, request.params),
        query: parse('The query', query, request.query),
        body: parse('The body', body?.schema, request.body),
        caller: request.caller,
      }),
  };
};
