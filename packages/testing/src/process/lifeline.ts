import { spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * Ends the process $1 and removes the folder $2 when its input ends without the line "gone": then the owner is
 * dead and could not do it. $3 is what SIGKILL goes to, the process or its group.
 */
const SCRIPT = `
trap '' INT TERM HUP
state=
while IFS= read -r line; do state=$line; done
[ "$state" = gone ] && exit 0
kill "$1" 2>/dev/null
turns=20
while kill -0 "$1" 2>/dev/null && [ $turns -gt 0 ]; do sleep 0.25; turns=$((turns - 1)); done
kill -9 "$3" 2>/dev/null
[ -z "$2" ] || rm -rf -- "$2"
`;

/** Guards a process against the sudden death of its owner. The result is called when the process has ended. */
export const createLifeline = (options: {
  pid: number;
  /** It leads a process group of its own. */
  isLeader: boolean;
  /** A folder that goes with it. */
  dir?: string | undefined;
}): (() => Promise<void>) => {
  const { pid, isLeader, dir = '' } = options;
  const args = [String(pid), dir, String(isLeader ? -pid : pid)];
  const shell = spawn('/bin/sh', ['-c', SCRIPT, 'fanfare-lifeline', ...args], {
    // A group of its own: what ends the owner's whole group must not end this.
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const exited = once(shell, 'exit');
  // Without a shell, or when somebody killed it, the process is only less well guarded.
  exited.catch(() => {});
  shell.stdin.on('error', () => {});
  return async () => {
    shell.stdin.end('gone\n');
    await exited.catch(() => {});
  };
};
