import { fileURLToPath } from 'node:url';
import { type Client, type ClientOptions, createClient, type RoomReset } from '@fanfare/client';
import type { Stack } from '@fanfare/local';
import type { EventMeta } from '@fanfare/protocol';

/** Events of these tests. */
export interface TestEvents {
  'test:told': number;
  'test:signalled': string;
}

/** Settings of gateways that say what a test tells them to. */
export const TALKATIVE = { FANFARE_HANDLERS: fileURLToPath(new URL('handlers.js', import.meta.url)) };

export interface Session extends Disposable {
  readonly client: Client<TestEvents>;
  /** Names of the events that the client has sent, with what it asked. */
  readonly asked: { name: string; payload: unknown }[];
  /** Id of the node that holds the connection. */
  readonly node: string;
  connected(): Promise<void>;
  status(status: Client['state']['status']): Promise<Client['state']>;
}

/** A client through nginx, or past it with another `url`. */
export const openSession = (
  stack: Stack,
  options: Partial<ClientOptions> & { node?: string } = {},
): Session => {
  const { node, ...own } = options;
  const url = node === undefined ? stack.url : stack.nodes.find(({ id }) => id === node)?.url;
  const client = createClient<TestEvents>({
    token: stack.token,
    backoff: { delayMs: 100 },
    ...(url !== undefined && { url }),
    ...own,
  });
  const asked: Session['asked'] = [];
  client.socket.onAnyOutgoing((name, payload) => asked.push({ name, payload }));
  const status: Session['status'] = (wanted) =>
    new Promise((resolve) => {
      const check = () => {
        if (client.state.status !== wanted) return;
        stop();
        resolve(client.state);
      };
      const stop = client.onState(check);
      check();
    });
  return {
    client,
    asked,
    get node() {
      return client.socket.io.engine.id?.slice('12345678901234567890_'.length) ?? '';
    },
    connected: () => status('connected').then(() => undefined),
    status,
    [Symbol.dispose]: () => client.close(),
  };
};

export interface Heard {
  /** Data of every `test:told`, in order. */
  told: number[];
  metas: EventMeta[];
  resets: RoomReset[];
}

/** Handlers and options of a join that keep what they are told. */
export const keepIn = (heard: Heard) => ({
  handlers: {
    'test:told': (data: number, meta: EventMeta) => {
      heard.told.push(data);
      heard.metas.push(meta);
    },
  },
  onReset: (reset: RoomReset) => {
    heard.resets.push(reset);
  },
});

export const nothingHeard = (): Heard => ({ told: [], metas: [], resets: [] });

export const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);
