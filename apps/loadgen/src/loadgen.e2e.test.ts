import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RedisServer } from '@fanfare/testing';
import { describe, expect, it } from 'vitest';
import { measureDelivery } from './bench/delivery.ts';
import { benchResult } from './bench/result.ts';
import { Target } from './servers/target.ts';
import { gatewayCommand, gatewayEnv } from './servers/variants.ts';
import { WorkerPool } from './workers/pool.ts';

const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Runs a program of this package and returns how it ended. */
const runProgram = (program: string, args: readonly string[]): Promise<{ code: number; output: string }> =>
  new Promise((resolve) => {
    execFile(process.execPath, ['--conditions=source', source(program), ...args], (error, stdout, stderr) => {
      const code = typeof error?.code === 'number' ? error.code : 0;
      resolve({ code, output: stdout + stderr });
    });
  });

const temporaryFolder = async () => {
  const path = await mkdtemp(join(tmpdir(), 'fanfare-loadgen-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
};

describe('npm run bench', () => {
  it('measures every part on real servers and writes its JSON and its report', async () => {
    await using folder = await temporaryFolder();
    const [json, page] = [join(folder.path, 'bench.json'), join(folder.path, 'bench.html')];
    const small =
      '--sockets 10 --rounds 1 --pass-ms 50 --connections 20 --connection-rounds 1 --publish-ms 300';
    const args = ['--quick', ...small.split(' '), '--json', json, '--html', page];
    const { code, output } = await runProgram('bench.ts', args);
    expect(output).toContain('round 1 of 1, delivery.batch10 limit');
    expect(code).toBe(0);
    const result = benchResult.parse(JSON.parse(await readFile(json, 'utf8')));
    expect(result.publish?.latencyMs.samples).toBeGreaterThan(0);
    expect(result.publishCost?.busy.vsExpress).toBeGreaterThan(0);
    expect(result.publishCost?.alone.vsSingle).toBeGreaterThan(0);
    expect(result.settings).toHaveProperty('Engine.IO, ours and stock');
    expect(await readFile(page, 'utf8')).toContain('What a message costs');
  });

  it('has a limit where there is no C compiler', async () => {
    await using pool = new WorkerPool(1);
    const plan = {
      variants: ['ours', 'stock', 'rawWs', 'limit'] as const,
      sockets: 10,
      rounds: 1,
      passMs: 50,
    };
    const setting = { tokenSecret: 'x'.repeat(32), pinned: [], limitProgram: undefined };
    const outcome = await measureDelivery(plan, setting, { pool, progress: () => undefined });
    expect(outcome.limit).toBe('bare net loop');
    expect(outcome.delivery.single.limit).toBeGreaterThan(0);
  });

  it('says what is wrong with its options', async () => {
    const { code, output } = await runProgram('bench.ts', ['--only', 'nothing']);
    expect({ code, output }).toEqual({
      code: 1,
      output: '--only nothing: the parts are delivery, connections, publish, publishCost\n',
    });
  });
});

describe('loadgen run', () => {
  it('publishes from sockets on two nodes and finds that everything arrived', async () => {
    await using redis = await RedisServer.start();
    const tokenSecret = 'x'.repeat(32);
    const gateway = (id: string): Promise<Target> =>
      Target.start({
        name: id,
        command: gatewayCommand(),
        env: gatewayEnv({ redisUrl: redis.url, tokenSecret, id }),
      });
    await using a = await gateway('a');
    await using b = await gateway('b');
    await using folder = await temporaryFolder();
    const json = join(folder.path, 'run.json');
    const servers = [a, b].flatMap(({ port }) => ['--url', `http://127.0.0.1:${port}`]);
    const small = '--connections 20 --rooms 4 --rate 100 --duration 1 --processes 2 --json'.split(' ');
    const args = ['run', ...servers, '--token-secret', tokenSecret, '--watch', `a=${a.pid}`, ...small, json];
    const { code, output } = await runProgram('main.ts', args);
    expect(output).toContain('0 lost, 0 doubled, 0 out of order, 0 misdirected');
    expect(code).toBe(0);
    const result: { published: unknown; delivered: unknown } = JSON.parse(await readFile(json, 'utf8'));
    expect(result).toMatchObject({ published: { accepted: 100 }, delivered: { received: 500 } });
  });

  it('fails when connections are refused', async () => {
    await using redis = await RedisServer.start();
    const env = gatewayEnv({ redisUrl: redis.url, tokenSecret: 'x'.repeat(32), id: 'a' });
    await using gateway = await Target.start({ name: 'a', command: gatewayCommand(), env });
    const url = `http://127.0.0.1:${gateway.port}`;
    const secret = ['--token-secret', 'y'.repeat(32), '--via', 'http', '--api-key', 'k', '--api-url', url];
    const small = '--connections 2 --rooms 1 --rate 1 --duration 0.1 --processes 1'.split(' ');
    const { code, output } = await runProgram('main.ts', ['run', '--url', url, ...secret, ...small]);
    expect(output).toContain('token_invalid');
    expect(code).toBe(1);
  });
});
