import fc from 'fast-check';
import type { NamespaceName } from './twin-servers.ts';

// A program is what an application does to a server, as data: the same program runs on both servers.

const ROOMS = ['a', 'b', 'c'] as const;
/** Polling and compressed clients: whether they can be written to depends on their timing, so no volatile packet. */
export const UNTIMED = 'untimed';

interface Flags {
  readonly isVolatile: boolean;
  readonly compress: boolean;
  readonly isAcked: boolean;
}
export type Payload = { readonly kind: 'text' | 'binary'; readonly parts: ReadonlyArray<string> };

export type Operation =
  | {
      readonly type: 'broadcast';
      readonly namespace: NamespaceName;
      readonly from: string | null;
      readonly to: ReadonlyArray<string>;
      readonly except: ReadonlyArray<string>;
      readonly isLocal: boolean;
      readonly flags: Flags;
      readonly payload: Payload;
    }
  | {
      readonly type: 'emit';
      readonly namespace: NamespaceName;
      readonly client: string;
      readonly flags: Flags;
      readonly payload: Payload;
    }
  | {
      readonly type: 'join' | 'leave';
      readonly namespace: NamespaceName;
      readonly client: string;
      readonly room: string;
    }
  | { readonly type: 'listen'; readonly client: string; readonly effect: 'log' | 'leave' | 'join' }
  | { readonly type: 'watch' | 'engineSend' | 'ping'; readonly client: string }
  | {
      readonly type: 'disconnect';
      readonly client: string;
      readonly namespace: NamespaceName;
      readonly close: boolean;
    }
  | {
      readonly type: 'closeConnection' | 'discardConnection' | 'close' | 'terminate';
      readonly client: string;
    }
  | { readonly type: 'disconnectRoom'; readonly room: string; readonly close: boolean };

const CLOSINGS = ['closeConnection', 'discardConnection', 'close', 'terminate'] as const;

export const GAPS = ['none', 'nextTick', 'microtask', 'immediate', 'beforeFlush', 'timer'] as const;
export type Gap = (typeof GAPS)[number];

export interface Tick {
  readonly operations: ReadonlyArray<Operation>;
  readonly gap: Gap;
}

export interface Program {
  /** For each client, the rooms it is in at the start. */
  readonly memberships: ReadonlyArray<ReadonlyArray<string>>;
  readonly ticks: ReadonlyArray<Tick>;
  /** Whether the upgrading clients start to upgrade with the first tick. */
  readonly isUpgrading: boolean;
}

export function programs(clients: ReadonlyArray<string>): fc.Arbitrary<Program> {
  const client = fc.constantFrom(...clients);
  const namespace = fc.constantFrom<NamespaceName>('/', '/', '/', '/b');
  const room = fc.constantFrom(...ROOMS);
  const rooms = fc.subarray([...ROOMS]);
  const text = fc.oneof(
    { weight: 8, arbitrary: fc.string({ maxLength: 20 }) },
    { weight: 4, arbitrary: fc.string({ unit: 'binary', maxLength: 60 }) },
    { weight: 1, arbitrary: fc.integer({ min: 100, max: 140 }).map((length) => 'm'.repeat(length)) },
    { weight: 1, arbitrary: fc.integer({ min: 65_500, max: 65_560 }).map((length) => 'l'.repeat(length)) },
  );
  const payload: fc.Arbitrary<Payload> = fc.record({
    kind: fc.constantFrom('text', 'text', 'text', 'binary'),
    parts: fc.array(text, { minLength: 1, maxLength: 2 }),
  });
  const flags: fc.Arbitrary<Flags> = fc.record({
    isVolatile: rarely(5),
    compress: fc.boolean(),
    isAcked: rarely(8),
  });
  const broadcast = fc.record({
    type: fc.constant('broadcast' as const),
    namespace,
    from: fc.option(client, { freq: 2 }),
    to: fc.oneof(
      { weight: 2, arbitrary: fc.constant([]) },
      { weight: 3, arbitrary: room.map((one) => [one]) },
      { weight: 2, arbitrary: rooms },
    ),
    except: fc.oneof(fc.constant([]), fc.constant([]), rooms),
    isLocal: fc.boolean(),
    flags,
    payload,
  });
  const operation: fc.Arbitrary<Operation> = fc.oneof(
    { weight: 180, arbitrary: broadcast },
    {
      weight: 45,
      arbitrary: fc.record({ type: fc.constant('emit' as const), namespace, client, flags, payload }),
    },
    {
      weight: 24,
      arbitrary: fc.record({
        type: fc.constantFrom('join' as const, 'leave' as const),
        namespace,
        client,
        room,
      }),
    },
    {
      weight: 9,
      arbitrary: fc.record({
        type: fc.constant('listen' as const),
        client,
        effect: fc.constantFrom('log' as const, 'leave' as const, 'join' as const),
      }),
    },
    { weight: 6, arbitrary: fc.record({ type: fc.constant('watch' as const), client }) },
    {
      weight: 15,
      arbitrary: fc.record({ type: fc.constantFrom('engineSend' as const, 'ping' as const), client }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        type: fc.constant('disconnect' as const),
        client,
        namespace,
        close: fc.boolean(),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        type: fc.constantFrom(...CLOSINGS),
        client,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ type: fc.constant('disconnectRoom' as const), room, close: fc.boolean() }),
    },
  );
  return fc.record({
    memberships: fc.array(rooms, { minLength: clients.length, maxLength: clients.length }),
    ticks: fc.array(
      fc.record({
        operations: fc.array(operation, { minLength: 1, maxLength: 5 }),
        gap: fc.constantFrom(...GAPS),
      }),
      { minLength: 1, maxLength: 6 },
    ),
    isUpgrading: rarely(8),
  });
}

function rarely(oneIn: number): fc.Arbitrary<boolean> {
  return fc.integer({ min: 1, max: oneIn }).map((drawn) => drawn === oneIn);
}
