import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { roomName } from '@fanfare/protocol';

export interface RunOptions {
  /** Gateways or load balancers; connections are dealt to them. */
  urls: URL[];
  apiUrl: URL;
  token: string | undefined;
  tokenSecret: string | undefined;
  apiKey: string | undefined;
  namespace: string;
  connections: number;
  /** Connections started per second; undefined: as fast as the server takes them. */
  connectPerSecond: number | undefined;
  rooms: number;
  room: string;
  via: 'http' | 'socket';
  perSecond: number;
  rampMs: number;
  durationMs: number;
  dataBytes: number;
  event: string;
  processes: number;
  localAddresses: string[];
  /** Name → process id of the servers whose CPU and memory is read. */
  watched: { name: string; pid: number }[];
  json: string | undefined;
  html: string | undefined;
}

export const RUN_USAGE = `loadgen run --url URL [options]

Who connects
  --url URL              gateway or load balancer, http://…; may be repeated
  --token TOKEN          one token for all connections, or
  --token-secret SECRET  sign a token for each (HS256)
  --namespace NAME       default /
  --connections N        default 1000
  --connect-rate N       ramp: connections started per second; default as fast as they are taken
  --rooms N              connection n joins room n modulo N; default 10
  --room PATTERN         default load:{n}
  --local-addresses A,B  source addresses, taken in turn: each has about 28,000 ports
Who publishes
  --rate N               messages per second, all rooms together, on a fixed timetable; default 10
  --ramp SECONDS         the rate rises from 0 in this time; default 0
  --duration SECONDS     default 30, the ramp included
  --via http|socket      POST /v1/publish or room:publish; default http when there is an API key
  --api-url URL          default the --url
  --api-key KEY
  --event NAME           default load:told
  --data-bytes N         size of the data as JSON; default 100
How
  --processes N          load generator processes; default one per core
  --watch NAME=PID       read CPU and memory of this process; may be repeated
  --json FILE            write the result as JSON
  --html FILE            write it as a page with charts
Ends with 1 when a message was lost, doubled or out of order, or a connection failed.
`;

const STRING = { type: 'string' } as const;
const OPTIONS = {
  url: { type: 'string', multiple: true },
  'api-url': STRING,
  token: STRING,
  'token-secret': STRING,
  'api-key': STRING,
  namespace: STRING,
  connections: STRING,
  'connect-rate': STRING,
  rooms: STRING,
  room: STRING,
  via: STRING,
  rate: STRING,
  ramp: STRING,
  duration: STRING,
  'data-bytes': STRING,
  event: STRING,
  processes: STRING,
  'local-addresses': STRING,
  watch: { type: 'string', multiple: true },
  json: STRING,
  html: STRING,
} as const;

/** Throws a sentence for the user when the arguments cannot be used. */
export const parseRunOptions = (args: string[]): RunOptions => {
  const { values } = parseArgs({ args, options: OPTIONS });
  const [url, ...others] = (values.url ?? []).map((given) => httpUrl('url', given));
  if (url === undefined) throw new Error('--url is needed');
  const { token, 'token-secret': tokenSecret, 'api-key': apiKey } = values;
  if ((token === undefined) === (tokenSecret === undefined)) {
    throw new Error('give either --token or --token-secret');
  }
  const connectPerSecond =
    values['connect-rate'] === undefined ? undefined : positive('connect-rate', values['connect-rate'], 0);
  const room = values.room ?? 'load:{n}';
  if (!room.includes('{n}') || !roomName.safeParse(room.replace('{n}', '0')).success) {
    throw new Error(`--room ${room}: expected a room name with {n} in it, such as load:{n}`);
  }
  return {
    urls: [url, ...others],
    apiUrl: values['api-url'] === undefined ? url : httpUrl('api-url', values['api-url']),
    token,
    tokenSecret,
    apiKey,
    namespace: values.namespace ?? '/',
    connections: whole('connections', values.connections, 1_000),
    connectPerSecond,
    rooms: whole('rooms', values.rooms, 10),
    room,
    via: publisher(values.via, apiKey),
    perSecond: positive('rate', values.rate, 10),
    rampMs: values.ramp === undefined || values.ramp === '0' ? 0 : positive('ramp', values.ramp, 0) * 1_000,
    durationMs: positive('duration', values.duration, 30) * 1_000,
    dataBytes: whole('data-bytes', values['data-bytes'], 100),
    event: values.event ?? 'load:told',
    processes: whole('processes', values.processes, availableParallelism()),
    localAddresses: values['local-addresses']?.split(',') ?? [],
    watched: (values.watch ?? []).map(watchedProcess),
    json: values.json,
    html: values.html,
  };
};

const positive = (name: string, given: string | undefined, preset: number): number => {
  if (given === undefined) return preset;
  const value = Number(given);
  if (!(value > 0 && value < 1e9)) throw new Error(`--${name} ${given}: expected a positive number`);
  return value;
};

const whole = (name: string, given: string | undefined, preset: number): number => {
  const value = positive(name, given, preset);
  if (!Number.isInteger(value)) throw new Error(`--${name} ${given}: expected a whole number`);
  return value;
};

const httpUrl = (name: string, given: string): URL => {
  const url = URL.parse(given);
  if (url?.protocol !== 'http:')
    throw new Error(`--${name} ${given}: expected a URL like http://127.0.0.1:8080`);
  return url;
};

const publisher = (given: string | undefined, apiKey: string | undefined): 'http' | 'socket' => {
  const via = given ?? (apiKey === undefined ? 'socket' : 'http');
  if (via !== 'http' && via !== 'socket') throw new Error(`--via ${given}: expected http or socket`);
  if (via === 'http' && apiKey === undefined) throw new Error('--via http needs --api-key');
  return via;
};

const watchedProcess = (given: string): { name: string; pid: number } => {
  const [name, pid, ...rest] = given.split('=');
  if (!name || rest.length > 0 || !/^\d+$/.test(pid ?? '')) {
    throw new Error(`--watch ${given}: expected NAME=PID`);
  }
  return { name, pid: Number(pid) };
};
