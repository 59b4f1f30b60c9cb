import type { ErrorCode } from '@fanfare/protocol';
import type { z } from 'zod';
import type { Outcome } from '../events.ts';

export interface RequestOutcome {
  outcome: Outcome;
  /** Name of the API key; absent when none was valid. */
  publisher: string | undefined;
  seconds: number;
}

interface RouteFacts {
  method: 'get' | 'post';
  path: string;
  /** Unique name of the operation in the OpenAPI document. */
  operation: string;
  /** The group it stands in on the page. */
  tag: 'Publishing' | 'Operations';
  summary: string;
  description: string;
  /** Whether a caller needs an API key. */
  access: 'api-key' | 'open';
  /** Codes that this route answers beside those that every route may. */
  errors: readonly ErrorCode[];
  /** Hears how each request to the route ended. */
  observe?: (outcome: RequestOutcome) => void;
}

/** A route is data: one definition gives the router, the validation and the OpenAPI document. */
export interface Route extends RouteFacts {
  body?: { schema: z.ZodType; examples: Record<string, { summary: string; value: unknown }> };
  answer: { schema: z.ZodType; description: string; example?: unknown };
  /** Validates the body, does the work and returns the answer; throws for everything else. */
  run(body: unknown): Promise<unknown>;
}

/** A route without a body. */
export const readRoute = <Answer extends z.ZodType>(
  facts: RouteFacts & {
    answer: { schema: Answer; description: string; example?: z.input<Answer> };
    handle: () => Promise<z.input<Answer>>;
  },
): Route => ({ ...facts, run: facts.handle });

/** A route with a JSON body. */
export const writeRoute = <Body extends z.ZodType, Answer extends z.ZodType>(
  facts: RouteFacts & {
    body: { schema: Body; examples: Record<string, { summary: string; value: z.input<Body> }> };
    answer: { schema: Answer; description: string; example?: z.input<Answer> };
    handle: (body: z.output<Body>) => Promise<z.input<Answer>>;
  },
): Route => ({ ...facts, run: async (body) => facts.handle(facts.body.schema.parse(body)) });
