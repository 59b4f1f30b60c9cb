import { fileURLToPath } from 'node:url';
import { type Stack, startStack } from '@fanfare/local';
import { eventually } from '@fanfare/testing';
import { io, type Socket } from 'socket.io-client';

const fileOf = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));

export interface ClientOptions {
  /** Whose token it has; default `you`. */
  user?: string;
  /** Default `/`; the token opens this one only. */
  namespace?: string;
  /** Another token than that. */
  token?: string;
  reconnection?: boolean;
}

/** A stock client and everything that it heard since before it connected. */
export interface Client extends AsyncDisposable {
  readonly socket: Socket;
  /** The arguments of every `event` so far. */
  heard(event: string): readonly unknown[][];
  /** The first argument of the first `event` that `where` is true for, heard already or still to come. */
  hears(
    event: string,
    where?: (data: unknown) => boolean,
    options?: { timeoutMs?: number },
  ): Promise<unknown>;
  /** The ack of an event. */
  ask(event: string, ...args: unknown[]): Promise<unknown>;
}

/** A cluster of two nodes that run an example. */
export interface Example extends AsyncDisposable {
  readonly stack: Stack;
  /** What the nodes have written, one string. */
  log(): string;
  /** A client of this address; `connect` waits for the connection. */
  client(url: string, options?: ClientOptions): Promise<Client>;
  connect(url: string, options?: ClientOptions): Promise<Client>;
  /** The addresses of the nodes, past nginx. */
  readonly nodes: readonly [string, string];
}

/** Starts `examples/{name}/handlers.js` the way its README says; `env` adds settings. */
export async function startExample(name: string, env: Record<string, string> = {}): Promise<Example> {
  const stack = await startStack({
    nodes: 2,
    env: {
      FANFARE_HANDLERS: fileOf(`${name}/handlers.js`),
      FANFARE_PAGES: fileOf(`${name}/page`),
      ...env,
    },
  });
  const client: Example['client'] = async (url, options = {}) => {
    const { user = 'you', namespace = '/', reconnection = true } = options;
    const token = options.token ?? (await stack.issueToken({ sub: user, namespaces: [namespace] }));
    return listen(io(url + namespace, { auth: { token }, autoConnect: false, forceNew: true, reconnection }));
  };
  return {
    stack,
    log: () => stack.nodes.map(({ process }) => process.output).join('\n'),
    nodes: [stack.nodes[0]?.url ?? '', stack.nodes[1]?.url ?? ''],
    client,
    connect: async (url, options) => {
      const connected = await client(url, options);
      await eventually(() => {
        if (!connected.socket.connected) throw new Error('not connected');
      });
      return connected;
    },
    [Symbol.asyncDispose]: () => stack[Symbol.asyncDispose](),
  };
}

const listen = (socket: Socket): Client => {
  const events: { event: string; args: unknown[] }[] = [];
  socket.onAny((event: string, ...args: unknown[]) => events.push({ event, args }));
  socket.on('connect_error', (error) => events.push({ event: 'connect_error', args: [error] }));
  socket.connect();
  const heard: Client['heard'] = (event) =>
    events.filter((one) => one.event === event).map(({ args }) => args);
  return {
    socket,
    heard,
    hears: (event, where = () => true, options = {}) =>
      eventually(() => {
        const found = heard(event).find(([data]) => where(data));
        if (!found) throw new Error(`no such "${event}" among ${JSON.stringify(events)}`);
        return found[0];
      }, options),
    ask: (event, ...args) => socket.timeout(5000).emitWithAck(event, ...args),
    [Symbol.asyncDispose]: async () => void socket.disconnect(),
  };
};
