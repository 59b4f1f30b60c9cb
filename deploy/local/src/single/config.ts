import { z } from 'zod';

/** Holds the JSON of a `SingleConfig` for the parent of the workers. */
export const SINGLE_VARIABLE = 'FANFARE_SINGLE';

/** What the parent of the workers of a single node is told by the launcher. */
export const singleConfig = z.object({
  /** The public port, which the workers share; 0 takes a free one. */
  port: z.int(),
  host: z.string(),
  workers: z.int().min(1),
  /** Whole environments: what the parent inherited of settings is taken away. */
  gatewayEnv: z.record(z.string(), z.string()),
  apiEnv: z.record(z.string(), z.string()),
});
export type SingleConfig = z.infer<typeof singleConfig>;
