import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const PROGRAM = new URL('./service.ts', import.meta.url).pathname;

export interface Running extends AsyncDisposable {
  readonly stdout: readonly string[];
  /** Resolves with the first line of stdout, written or to come, that starts like this; rejects at the end of stdout. */
  line(start: string): Promise<string>;
  kill(signal: NodeJS.Signals): void;
  endStdin(): void;
  /** Code, signal and all of stderr once the process is gone. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; stderr: string }>;
}

/** Runs `service.ts` with these settings and arguments and nothing else in its environment. */
export function startService(env: Record<string, string> = {}, args: readonly string[] = []): Running {
  const child = spawn(process.execPath, ['--conditions=source', PROGRAM, ...args], { env });
  const stdout: string[] = [];
  let stderr = '';
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (text) => stdout.push(text));
  child.stderr.on('data', (chunk) => {
    stderr += String(chunk);
  });
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, stderr }));
  return {
    stdout,
    line: (start) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = stdout.find((text) => text.startsWith(start));
          if (found !== undefined) resolve(found);
        };
        lines.on('line', look);
        lines.once('close', () => reject(new Error(`No line "${start}": ${stdout.join(' | ')} ${stderr}`)));
        look();
      }),
    kill: (signal) => void child.kill(signal),
    endStdin: () => child.stdin.end(),
    ended,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
