import type { Exit, ManagedProcess, ProcessOptions } from '@fanfare/testing';
import type { LogLine } from './log-lines.ts';

/** What ties a process to its group. */
export type Membership = Pick<ProcessOptions, 'detached' | 'dir' | 'onLine' | 'onStart'>;

/** All processes of a stack: heard, watched, and ended with it whatever happens to the launcher. */
export interface ProcessGroup extends AsyncDisposable {
  /** What a process of this name has to be started with to belong to the group. */
  watch(name: string): Membership;
  /** Whether an exit is news: not while the stack starts, where it is a failure, nor when it ends. */
  reportExits: boolean;
}

export const createProcessGroup = (options: {
  /** Removed when the launcher is killed; otherwise that is the caller's. */
  dir?: string;
  onLog?: ((line: LogLine) => void) | undefined;
  onExit?: ((name: string, exit: Exit) => void) | undefined;
}): ProcessGroup => {
  const running = new Set<ManagedProcess>();
  let closed = false;

  const add = (name: string, child: ManagedProcess) => {
    running.add(child);
    child.exited.then((exit) => {
      running.delete(child);
      if (group.reportExits) options.onExit?.(name, exit);
    });
    if (closed) child.kill();
  };

  const group: ProcessGroup = {
    reportExits: false,
    watch: (name) => ({
      // Ctrl-C in the terminal reaches the launcher alone, which then ends everything in order.
      detached: true,
      ...(options.dir !== undefined && { dir: options.dir }),
      onLine: (text, stream) => options.onLog?.({ process: name, stream, text }),
      onStart: (child) => add(name, child),
    }),
    [Symbol.asyncDispose]: async () => {
      closed = true;
      await Promise.all([...running].map((child) => child.stop()));
    },
  };
  return group;
};
