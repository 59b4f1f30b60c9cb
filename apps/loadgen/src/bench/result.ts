import { z } from 'zod';

/** The rounds behind a figure. */
const spreadSchema = z.object({
  median: z.number(),
  min: z.number(),
  max: z.number(),
  rounds: z.array(z.number()),
});

/** A figure for each server (medians), its ratios, and beside them the rounds that both come from. */
const comparison = <Shape extends z.ZodRawShape>(servers: Shape) =>
  z.object({ ...servers, spread: z.record(z.string(), spreadSchema) });

export const deliverySchema = comparison({
  ours: z.number(),
  stock: z.number(),
  rawWs: z.number(),
  limit: z.number(),
  fanoutOff: z.number().optional(),
  kernel: z.record(z.string(), z.number()).describe('the part of each that the kernel spends'),
  vsStock: z.number().describe('stock ÷ ours: how many times cheaper a delivery is'),
  vsLimit: z.number().describe('ours ÷ limit: how many times dearer than the socket write alone'),
});

export const againstStockSchema = comparison({
  ours: z.number(),
  stock: z.number(),
  rawWs: z.number().optional(),
  handlers: z.number().optional().describe('ours with handlers of a team, which keep the request'),
  vsStock: z.number().describe('ours ÷ stock'),
  handlersVsStock: z.number().optional().describe('handlers ÷ stock'),
});

export const publishCostSchema = comparison({
  ours: z.number(),
  express: z.number(),
  vsExpress: z.number().describe('ours ÷ express'),
});

export const batchCostSchema = comparison({
  single: z.number(),
  batch: z.number(),
  vsSingle: z.number().describe('batch ÷ single'),
});

const latencySchema = z.object({
  p50: z.number(),
  p99: z.number(),
  p999: z.number().optional(),
  max: z.number(),
  samples: z.int(),
});

const deliveries = z.object({ single: deliverySchema, batch10: deliverySchema });

/** `bench --json`: what a run measured. A part that `--only` left out is absent. */
export const benchResult = z.object({
  date: z.string(),
  quick: z.boolean(),
  machine: z.object({
    cpu: z.string(),
    cores: z.int(),
    memoryGb: z.number(),
    system: z.string(),
    node: z.string(),
  }),
  /** Name → value, as the table prints them: what all servers had in common. */
  settings: z.record(z.string(), z.string()),
  delivery: deliveries.describe('µs of server CPU per delivery, one room of everybody').optional(),
  smallRooms: deliveries.describe('the same, many rooms of five').optional(),
  idle: z
    .object({
      connections: z.int(),
      heapKbPerConnection: againstStockSchema,
      rssKbPerConnection: againstStockSchema,
    })
    .optional(),
  connect: z
    .object({
      cpuUs: againstStockSchema.describe('a process that has taken 25,000 or more connections before'),
      firstCpuUs: againstStockSchema.describe('the first 3,000 connections of a fresh process'),
      perSecond: againstStockSchema.describe('connections opened per second by one server process'),
    })
    .optional(),
  publish: z
    .object({
      latencyMs: latencySchema.describe('idle cluster, HTTP request to event on a socket'),
      underLoad: latencySchema.extend({ gatewayCpuPercent: z.number() }),
    })
    .optional(),
  publishCost: z
    .object({
      callers: z.int(),
      busy: publishCostSchema.describe('µs of CPU of the api per publish, so many requests under way'),
      alone: batchCostSchema.describe('µs of CPU of api and Redis per event, one caller'),
    })
    .optional(),
});
export type BenchResult = z.infer<typeof benchResult>;
export type DeliveryFigures = z.infer<typeof deliverySchema>;
export type ComparedFigures = z.infer<typeof againstStockSchema>;
export type PublishCost = z.infer<typeof publishCostSchema>;
export type BatchCost = z.infer<typeof batchCostSchema>;
export type LatencyFigures = z.infer<typeof latencySchema>;
