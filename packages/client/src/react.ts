'use client';
import type { DirectMeta, EventMeta } from '@fanfare/protocol';
import {
  createContext,
  createElement,
  type ReactNode,
  useContext,
  useEffect,
  useInsertionEffect,
  useRef,
  useState,
  useSyncExternalStore,
} from 'react';
import type { Client } from './client.ts';
import type { Position, RoomReset } from './contract.ts';
import type { FanfareError } from './error.ts';
import type { RoomState } from './rooms/cursor.ts';
import type { AppEvents, EventOf, JoinOptions } from './rooms/handle.ts';
import type { PresenceView } from './rooms/presence.ts';
import type { ConnectionState } from './session/connection.ts';

type Listener = (event: EventOf<AppEvents>) => void;

/** What a component sees of its room; a new object whenever something in it has changed. */
export interface RoomView {
  readonly state: RoomState;
  /** Why the state is `refused` or `left`. */
  readonly error: FanfareError | undefined;
  /** The last loss of continuity, another object for each: a dependency of the effect that fetches anew. */
  readonly reset: RoomReset | undefined;
  /** For `useEvent`. */
  readonly listeners: Set<Listener>;
}

export interface UseRoomOptions {
  /** So many of the last events first, at most 500. */
  replay?: number;
  /** Go on from here, as from the position of a snapshot; read when the room is joined. */
  since?: Position;
  /** Called besides setting `reset`. */
  onReset?: (reset: RoomReset) => void;
}

/** The newest value for listeners that outlive a render. */
const useLatest = <Value>(value: Value): { readonly current: Value } => {
  const ref = useRef(value);
  useInsertionEffect(() => {
    ref.current = value;
  });
  return ref;
};

/** A room's view and those who wait for it, made once per component. */
const createRoomStore = () => {
  let view: RoomView = {
    state: 'joining',
    error: undefined,
    reset: undefined,
    listeners: new Set(),
  };
  const subscribers = new Set<() => void>();
  const change = (part: Partial<RoomView>) => {
    view = { ...view, ...part };
    for (const subscriber of subscribers) subscriber();
  };
  return {
    get: () => view,
    subscribe: (subscriber: () => void) => {
      subscribers.add(subscriber);
      return () => void subscribers.delete(subscriber);
    },
    close: () => change({ state: 'left', error: undefined, reset: undefined }),
    open: (client: Client, room: string, options: JoinOptions) => {
      change({ state: 'joining', error: undefined, reset: undefined });
      const onEvent: Listener = (event) => {
        for (const listener of view.listeners) listener(event);
      };
      const handle = client.join(room, onEvent, {
        ...options,
        onReset: (reset) => {
          change({ reset });
          options.onReset?.(reset);
        },
        onState: (state, error) => change({ state, error }),
      });
      return () => handle.leave();
    },
  };
};

const Context = createContext<Client | undefined>(undefined);

/** Makes a client, created once outside of the components, the one of all hooks below. */
export const FanfareProvider = (props: { client: Client; children?: ReactNode }): ReactNode =>
  createElement(Context.Provider, { value: props.client }, props.children);

/** The client of the provider; throws outside of one. */
export const useClient = (): Client => {
  const client = useContext(Context);
  if (client === undefined) throw new Error('Put a <FanfareProvider client={client}> around this component');
  return client;
};

/** Whether there is a connection, and why not. */
export const useConnection = (): ConnectionState => {
  const client = useClient();
  const get = () => client.state;
  return useSyncExternalStore(client.onState, get, get);
};

/** Is in the room while mounted; null joins none and is `left`. Several components in one room share the membership. */
export const useRoom = (room: string | null, options: UseRoomOptions = {}): RoomView => {
  const client = useClient();
  const [store] = useState(createRoomStore);
  const latest = useLatest(options);
  const { replay } = options;
  useEffect(() => {
    if (room === null) return store.close();
    const onReset = (reset: RoomReset) => latest.current.onReset?.(reset);
    return store.open(client, room, { replay, since: latest.current.since, onReset });
  }, [client, store, latest, room, replay]);
  return useSyncExternalStore(store.subscribe, store.get, store.get);
};

/**
 * Calls the newest `handler` with each event of that name. Given what `useRoom` returned it hears the replay as well;
 * given a name it joins the room by itself, from now on.
 */
export const useEvent = <Name extends keyof AppEvents & string>(
  room: RoomView | string,
  name: Name,
  handler: (data: AppEvents[Name], meta: EventMeta) => void,
): void => {
  const client = useClient();
  const latest = useLatest(handler);
  const source = typeof room === 'string' ? room : room.listeners;
  useEffect(() => {
    const listener: Listener = (event) => {
      if (event.event === name) latest.current(event.data, event.meta);
    };
    if (typeof source === 'string') {
      const handle = client.join(source, listener);
      return () => handle.leave();
    }
    source.add(listener);
    return () => void source.delete(listener);
  }, [client, latest, source, name]);
};

/** Calls the newest `handler` with each event of that name that another user sends to this one, or this one elsewhere. */
export const useDirect = <Name extends keyof AppEvents & string>(
  name: Name,
  handler: (data: AppEvents[Name], meta: DirectMeta) => void,
): void => {
  const client = useClient();
  const latest = useLatest(handler);
  useEffect(
    () =>
      client.onDirect(({ event, data, meta }) => {
        if (event === name) latest.current(data, meta);
      }),
    [client, latest, name],
  );
};

const NOBODY: PresenceView = { members: [], count: 0 };

/** Who is in a room, which this component joins while mounted; null is in none. */
export const usePresence = (room: string | null): PresenceView => {
  const client = useClient();
  const [presence, setPresence] = useState(NOBODY);
  useEffect(() => {
    setPresence(NOBODY);
    if (room === null) return undefined;
    const handle = client.join(room, () => undefined, { presence: true, onPresence: setPresence });
    return () => handle.leave();
  }, [client, room]);
  return presence;
};
