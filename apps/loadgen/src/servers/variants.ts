import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { RedisServer } from '@fanfare/testing';
import { SEQ_DIGITS, tickPayload } from '../targets/message.ts';
import { encodeServerFrame } from '../wire/frames.ts';
import type { WireMode } from '../wire/raw-socket.ts';
import { Target } from './target.ts';

/** The servers that are compared, in the order in which they take turns; `handlers` is ours with handlers of a team. */
export const VARIANTS = ['ours', 'stock', 'rawWs', 'limit', 'fanoutOff', 'handlers'] as const;
export type Variant = (typeof VARIANTS)[number];

/** What every variant needs to start. */
export interface BenchSetting {
  tokenSecret: string;
  /** Words before a server's command that keep it on a core of its own; empty where that is impossible. */
  pinned: readonly string[];
  /** The compiled limit; without it a loop in Node takes its place. */
  limitProgram: string | undefined;
}

export const WIRE: Record<Variant, WireMode> = {
  ours: 'socketio',
  stock: 'socketio',
  rawWs: 'ws',
  limit: 'bare',
  fanoutOff: 'socketio',
  handlers: 'socketio',
};

const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const GATEWAY = source('../../../gateway/src/main.ts');
const HANDLERS = source('../targets/handlers.ts');
const CONTROL_ALONE = source('../targets/control-alone.ts');

const node = (...program: string[]): string[] => [process.execPath, '--conditions=source', ...program];

const limitCommand = (program: string | undefined): string[] => {
  if (program === undefined) return node(source('../targets/limit-net.ts'));
  const frame = encodeServerFrame(tickPayload(0));
  const digits = frame.indexOf('0'.repeat(SEQ_DIGITS));
  return [program, frame.toString('hex'), String(digits), String(SEQ_DIGITS)];
};

/** The environment of a gateway on free ports of this machine. */
export const gatewayEnv = (setting: { redisUrl: string; tokenSecret: string; id: string }) => ({
  FANFARE_NODE_ID: setting.id,
  FANFARE_HOST: '127.0.0.1',
  FANFARE_PORT: '0',
  FANFARE_OPS_HOST: '127.0.0.1',
  FANFARE_OPS_PORT: '0',
  FANFARE_TOKEN_SECRET: setting.tokenSecret,
  REDIS_URL: setting.redisUrl,
});

export const gatewayCommand = (): string[] => node(GATEWAY);

const usesRedis = (variant: Variant): boolean => WIRE[variant] === 'socketio';

const commandOf = (
  variant: Variant,
  {
    limitProgram,
    redisUrl,
    isDriven,
  }: { limitProgram: string | undefined; redisUrl: string; isDriven: boolean },
): string[] => {
  if (variant === 'limit') return limitCommand(limitProgram);
  if (variant === 'rawWs') return node(source('../targets/raw-ws.ts'));
  if (variant === 'stock') return [...node(source('../targets/stock.ts')), redisUrl];
  return isDriven ? gatewayCommand() : node('--import', CONTROL_ALONE, GATEWAY);
};

/**
 * Starts one of the servers. A gateway that is `driven` has the benchmark's handlers, which broadcast from the inside;
 * one that is not is as it is deployed, but for `handlers`. Each Socket.IO server has a Redis of its own: on one they would be nodes of one
 * cluster.
 */
export const startVariant = async (
  variant: Variant,
  setting: BenchSetting,
  { driven }: { driven: boolean } = { driven: true },
): Promise<{ target: Target } & AsyncDisposable> => {
  const isDriven = driven || variant === 'handlers';
  await using stack = new AsyncDisposableStack();
  const redisUrl = usesRedis(variant) ? stack.use(await RedisServer.start()).url : '';
  const id = `bench-${variant.toLowerCase()}`;
  const target = await Target.start({
    name: variant,
    command: [...setting.pinned, ...commandOf(variant, { ...setting, redisUrl, isDriven })],
    env: {
      ...gatewayEnv({ redisUrl, tokenSecret: setting.tokenSecret, id }),
      ...(isDriven && { FANFARE_HANDLERS: HANDLERS }),
      ...(variant === 'fanoutOff' && { FANFARE_FANOUT: 'off' }),
    },
  });
  stack.use(target);
  const owned = stack.move();
  return { target, [Symbol.asyncDispose]: () => owned.disposeAsync() };
};

/** Compiles the limit into a folder of its own; undefined when the machine has no C compiler. */
export const compileLimit = async (): Promise<{ program: string | undefined } & AsyncDisposable> => {
  const dir = await mkdtemp(join(tmpdir(), 'fanfare-limit-'));
  const program = join(dir, 'limit');
  const built = await promisify(execFile)('cc', ['-O2', '-o', program, source('../targets/limit.c')]).then(
    () => true,
    () => false,
  );
  return {
    program: built ? program : undefined,
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
};

/** `taskset -c CORE` where the machine has it and more than one core; otherwise nothing. */
export const pinTo = async (core: number, cores: number): Promise<string[]> => {
  if (cores < 2) return [];
  const words = ['taskset', '-c', String(core)];
  const works = await promisify(execFile)('taskset', ['-c', String(core), 'true']).then(
    () => true,
    () => false,
  );
  return works ? words : [];
};
