import type {
  BatchCost,
  BenchResult,
  ComparedFigures,
  DeliveryFigures,
  LatencyFigures,
  PublishCost,
} from '../bench/result.ts';

/** A figure with its spread over the rounds. */
export interface Figure {
  name: string;
  value: number;
  min: number;
  max: number;
  /** The part of it that the kernel spends. */
  kernel?: number;
}

/** A ratio that has a goal, or only a spread. */
export interface Ratio extends Figure {
  goal?: { text: string; reached: boolean };
}

/** The servers side by side in one measurement. */
export interface Comparison {
  label: string;
  figures: Figure[];
  ratios: Ratio[];
}

/** Comparisons of one unit: a table, and a chart of the report. */
export interface Section {
  title: string;
  unit: string;
  note: string;
  comparisons: Comparison[];
}

export const SERVER_NAMES: Record<string, string> = {
  ours: 'Fanfare',
  handlers: "Fanfare, a team's handlers",
  fanoutOff: 'Fanfare, fan-out off',
  stock: 'Socket.IO',
  rawWs: 'ws, pre-built frame',
  limit: 'the limit',
  express: 'bare Express route',
  single: 'event by event',
  batch: 'batches of 100',
};

type Goal = { atLeast: number } | { atMost: number };

const judge = (value: number, goal: Goal): NonNullable<Ratio['goal']> =>
  'atLeast' in goal
    ? { text: `≥ ${goal.atLeast}`, reached: value >= goal.atLeast }
    : { text: `≤ ${goal.atMost}`, reached: value <= goal.atMost };

const compare = (
  label: string,
  figures: DeliveryFigures | ComparedFigures | PublishCost | BatchCost,
  ratios: Record<string, { name: string; goal?: Goal }>,
): Comparison => {
  const figure = (key: string, name: string): Figure[] => {
    const spread = figures.spread[key];
    return spread ? [{ name, value: spread.median, min: spread.min, max: spread.max }] : [];
  };
  return {
    label,
    figures: Object.entries(SERVER_NAMES).flatMap(([key, name]) => {
      const kernel = 'kernel' in figures ? figures.kernel[key] : undefined;
      return figure(key, name).map((found) => ({ ...found, ...(kernel !== undefined && { kernel }) }));
    }),
    ratios: Object.entries(ratios).flatMap(([key, { name, goal }]) =>
      figure(key, name).map((ratio) => ({ ...ratio, ...(goal && { goal: judge(ratio.value, goal) }) })),
    ),
  };
};

const deliverySections = ({ delivery, smallRooms, settings }: BenchResult): Section[] => {
  if (!delivery || !smallRooms) return [];
  const ratios = (stock?: Goal, limit?: Goal) => ({
    vsStock: { name: 'Socket.IO ÷ Fanfare', ...(stock && { goal: stock }) },
    vsLimit: { name: 'Fanfare ÷ the limit', ...(limit && { goal: limit }) },
  });
  return [
    {
      title: 'Delivery, one room of everybody',
      unit: 'µs of server CPU per delivery',
      note: `The limit: ${settings.limit ?? 'unknown'}.`,
      comparisons: [
        compare('1 message per tick', delivery.single, ratios({ atLeast: 1.9 }, { atMost: 1.35 })),
        compare('10 messages per tick', delivery.batch10, ratios({ atLeast: 9 }, { atMost: 1.6 })),
      ],
    },
    {
      title: 'Delivery, many rooms of five',
      unit: 'µs of server CPU per delivery',
      note: 'Every tick brings the messages to each room; the Socket.IO servers hand each of them to Redis too.',
      comparisons: [
        compare('1 message per tick', smallRooms.single, ratios()),
        compare('10 messages per tick', smallRooms.batch10, ratios()),
      ],
    },
  ];
};

const connectionSections = ({ idle, connect }: BenchResult): Section[] => {
  if (!idle || !connect) return [];
  const ratio = (goal?: Goal) => ({
    vsStock: { name: 'Fanfare ÷ Socket.IO', ...(goal && { goal }) },
    handlersVsStock: { name: "Fanfare, a team's handlers ÷ Socket.IO" },
  });
  return [
    {
      title: `Memory of an idle connection, at ${idle.connections}`,
      unit: 'KB per connection',
      note: 'Heap after garbage collection; resident memory by the operating system, without it being given back.',
      comparisons: [
        compare('heap', idle.heapKbPerConnection, ratio({ atMost: 0.6 })),
        compare('resident', idle.rssKbPerConnection, ratio()),
      ],
    },
    {
      title: 'A new connection',
      unit: 'µs of server CPU',
      note: 'Fanfare checks a token of its own for each connection, the others let everybody in.',
      comparisons: [
        compare('CPU per connection', connect.cpuUs, ratio({ atMost: 0.8 })),
        compare('the first 3,000 of a fresh process', connect.firstCpuUs, ratio()),
      ],
    },
    {
      title: 'Connections opened by one server process',
      unit: 'per second',
      note: 'One load generator on the other core, 32 at a time.',
      comparisons: [compare('per second', connect.perSecond, ratio())],
    },
  ];
};

const costSections = ({ publishCost }: BenchResult): Section[] => {
  if (!publishCost) return [];
  const { callers, busy, alone } = publishCost;
  return [
    {
      title: 'A publish over HTTP, busy api',
      unit: 'µs of api CPU per event',
      note: `${callers} requests under way. The bare route reads the same body as JSON and answers 204.`,
      comparisons: [
        compare('POST /v1/publish', busy, {
          vsExpress: { name: 'Fanfare ÷ bare Express route', goal: { atMost: 2.5 } },
        }),
      ],
    },
    {
      title: 'A publish over HTTP, one caller',
      unit: 'µs of api and Redis CPU per event',
      note: 'One request after the other: POST /v1/publish for each event, or POST /v1/batch for 100 of them.',
      comparisons: [
        compare('100 events', alone, {
          vsSingle: { name: 'batches of 100 ÷ event by event', goal: { atMost: 0.167 } },
        }),
      ],
    },
  ];
};

/** What a run measured, unit by unit; the latencies stand apart. */
export const sectionsOf = (result: BenchResult): Section[] => [
  ...deliverySections(result),
  ...connectionSections(result),
  ...costSections(result),
];

/** Latency of publishing, as rows: what, p50, p99, p99.9, largest. */
export interface LatencyRow {
  label: string;
  figures: LatencyFigures;
  goal?: { text: string; reached: boolean };
}

export const latenciesOf = ({ publish }: BenchResult): LatencyRow[] => {
  if (!publish) return [];
  const { latencyMs, underLoad } = publish;
  const reached = latencyMs.p50 <= 3 && latencyMs.p99 <= 10;
  return [
    { label: 'idle cluster', figures: latencyMs, goal: { text: 'p50 ≤ 3, p99 ≤ 10', reached } },
    { label: `gateway at ${underLoad.gatewayCpuPercent} % of a core`, figures: underLoad },
  ];
};

/** Three digits are what these figures are worth. */
export const shortNumber = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
