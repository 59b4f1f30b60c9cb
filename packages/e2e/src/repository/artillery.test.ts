import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { publishRequest, roomJoin, roomLeave, roomPublish, roomSignal } from '@fanfare/protocol';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';

const FOLDER = fileURLToPath(new URL('../../../../deploy/artillery/', import.meta.url));

/** Contract events by name. */
const EVENTS: ReadonlyMap<string, { payload: z.ZodType }> = new Map(
  [roomJoin, roomLeave, roomPublish, roomSignal].map((event) => [event.name, event]),
);
/** Routes of the api that take a body, by path. */
const ROUTES: ReadonlyMap<string, z.ZodType> = new Map([['/v1/publish', publishRequest]]);

const plainStep = z.union([
  z.strictObject({ function: z.string() }),
  z.strictObject({ think: z.string() }),
  z.strictObject({
    emit: z.strictObject({ channel: z.string(), data: z.unknown() }),
    acknowledge: z.looseObject({}),
  }),
  z.strictObject({ post: z.looseObject({ url: z.string(), json: z.unknown() }) }),
]);
const loop = z.strictObject({ loop: z.array(plainStep), count: z.int() });
type PlainStep = z.infer<typeof plainStep>;

const options = z.strictObject({
  transports: z.array(z.enum(['polling', 'websocket'])),
  auth: z.strictObject({ token: z.literal('{{ token }}') }),
  reconnection: z.literal(false),
  forceNew: z.literal(true),
});
const scenario = z.strictObject({
  name: z.string(),
  engine: z.literal('socketio'),
  socketio: options,
  flow: z.array(z.union([plainStep, loop])),
});
const config = z.looseObject({
  processor: z.literal('./processor.mjs'),
  ensure: z.strictObject({
    thresholds: z.array(z.record(z.string(), z.number())),
    conditions: z.array(z.strictObject({ expression: z.string() })),
  }),
});

const read = (file: string): Record<string, unknown> =>
  z.record(z.string(), z.unknown()).parse(parse(readFileSync(FOLDER + file, 'utf8')));

const files = readdirSync(FOLDER).filter((name) => name.endsWith('.yml'));
const processorText = readFileSync(`${FOLDER}processor.mjs`, 'utf8');
const scenarios = files.flatMap((file) => {
  const { scenarios: given } = read(file);
  return given === undefined
    ? []
    : z
        .array(scenario)
        .parse(given)
        .map((one) => ({ file, ...one }));
});
const stepsOf = (flow: z.infer<typeof scenario>['flow']): PlainStep[] =>
  flow.flatMap((step) => ('loop' in step ? step.loop : [step]));

/** What Artillery makes of a template for its first user. */
const rendered = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value).replace(/\{\{ [^}]+ \}\}/g, 'user-1'));

describe('the Artillery scenarios (C5)', () => {
  it.each(scenarios)('$file sends what the cluster takes (C5)', ({ flow }) => {
    for (const step of stepsOf(flow)) {
      if ('emit' in step) {
        const event = EVENTS.get(step.emit.channel);
        expect(event?.payload.safeParse(rendered(step.emit.data))).toMatchObject({ success: true });
      }
      if ('post' in step) {
        const body = ROUTES.get(step.post.url);
        expect(body?.safeParse(rendered(step.post.json))).toMatchObject({ success: true });
      }
    }
  });

  it.each(scenarios)('$file calls functions that the processor has (C5)', async ({ flow }) => {
    const processor: unknown = await import(`${FOLDER}processor.mjs`);
    const called = stepsOf(flow).flatMap((step) => ('function' in step ? [step.function] : []));
    expect(called.length).toBeGreaterThan(0);
    for (const name of called) expect(processor).toHaveProperty(name, expect.any(Function));
  });

  it('the processor asks for events of the contract only (C5)', () => {
    const asked = [...processorText.matchAll(/answered\(context, '([^']+)'/g)].map(([, name]) => name);
    expect(asked).not.toEqual([]);
    expect(asked.filter((name) => name === undefined || !EVENTS.has(name))).toEqual([]);
  });

  it('every transport has a scenario (C5)', () => {
    expect(scenarios.map(({ socketio }) => socketio.transports.join()).sort()).toEqual([
      'polling',
      'polling,websocket',
      'websocket',
      'websocket',
    ]);
  });

  it('a run fails by the time from server to client, and by what was lost (C5)', () => {
    const configs = files.flatMap((file) => {
      const { config: given } = read(file);
      return given === undefined ? [] : [config.parse(given)];
    });
    expect(configs).toHaveLength(2);
    for (const { ensure } of configs) {
      expect(ensure.thresholds.flatMap(Object.keys)).toContain('fanfare.delivery_ms.p99');
      expect(ensure.conditions.map(({ expression }) => expression)).toEqual(
        expect.arrayContaining(['vusers.failed == 0', 'fanfare.lost + fanfare.doubled == 0']),
      );
    }
    for (const metric of ['fanfare.delivery_ms', 'fanfare.lost', 'fanfare.doubled', 'fanfare.publish_ms']) {
      expect(processorText).toContain(`'${metric}'`);
    }
  });
});
