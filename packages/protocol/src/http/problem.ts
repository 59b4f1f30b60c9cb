import { z } from 'zod';
import { batchResult, publishResult, retryAfterMs } from './publish.ts';

/** Every error answer: RFC 9457, `application/problem+json`. */
export const problem = z
  .object({
    type: z.string().describe('A link to the row of the error table'),
    title: z.string(),
    status: z.int(),
    code: z.string(),
    retryable: z.boolean(),
    retryAfterMs,
    detail: z.string().optional(),
    results: z
      .union([z.array(publishResult), z.array(batchResult)])
      .optional()
      .describe('What became of each room, or of each command of a batch, where some of them succeeded'),
  })
  .meta({ id: 'Problem' });
export type Problem = z.infer<typeof problem>;
