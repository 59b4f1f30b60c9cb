import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { platform } from 'node:os';
import { promisify } from 'node:util';

/** What the operating system says of a process. */
export interface ProcessUsage {
  /** User + system time since its start, of all its threads. */
  cpuMicros: number;
  userMicros: number;
  systemMicros: number;
  rssBytes: number;
}

/** The kernel counts the ticks of /proc/PID/stat in 1/100 s for every program (USER_HZ). */
const TICK_MICROS = 10_000;

const statTimes = (stat: string): { user: number; system: number } => {
  // The second field is the command in brackets and may hold spaces: fields are counted from its end.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { user: Number(fields[11]) * TICK_MICROS, system: Number(fields[12]) * TICK_MICROS };
};

/** CPU time of every living thread in ns, exact where /proc/PID/stat has 10 ms steps; 0 without schedstats. */
const threadMicros = async (pid: number): Promise<number> => {
  const threads = await readdir(`/proc/${pid}/task`);
  const read = async (thread: string): Promise<number> => {
    const text = await readFile(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').catch(() => '0');
    return Number(text.split(' ')[0]) / 1_000;
  };
  return (await Promise.all(threads.map(read))).reduce((sum, micros) => sum + micros, 0);
};

const kilobytes = (text: string, name: string): number => {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name}:`));
  return Number(line?.slice(name.length + 1).replace('kB', '')) || 0;
};

const linuxUsage = async (pid: number): Promise<ProcessUsage> => {
  const [stat, exact, memory] = await Promise.all([
    readFile(`/proc/${pid}/stat`, 'latin1'),
    threadMicros(pid),
    readFile(`/proc/${pid}/smaps_rollup`, 'latin1')
      .then((text) => kilobytes(text, 'Rss'))
      .catch(async () => kilobytes(await readFile(`/proc/${pid}/status`, 'latin1'), 'VmRSS')),
  ]);
  const { user, system } = statTimes(stat);
  // A thread that has ended is missing from the exact sum; then the coarse one is larger by more than its step.
  const cpuMicros = exact + 2 * TICK_MICROS > user + system ? exact : user + system;
  return { cpuMicros, userMicros: user, systemMicros: system, rssBytes: memory * 1_024 };
};

/** `[hh:]mm:ss.cc`, as ps writes it. */
const clockMicros = (text: string): number =>
  text.split(':').reduce((sum, field) => sum * 60 + Number(field), 0) * 1_000_000;

const psUsage = async (pid: number): Promise<ProcessUsage> => {
  const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=,utime=,time=', '-p', String(pid)]);
  const [rss = '', user = '', total = ''] = stdout.trim().split(/\s+/);
  const userMicros = clockMicros(user);
  const cpuMicros = clockMicros(total);
  return { cpuMicros, userMicros, systemMicros: cpuMicros - userMicros, rssBytes: Number(rss) * 1_024 };
};

/** CPU time and resident memory of a living process, from /proc on Linux and from ps elsewhere. */
export const readProcess = (pid: number): Promise<ProcessUsage> =>
  platform() === 'linux' ? linuxUsage(pid) : psUsage(pid);

/** What a process used between two readings. */
export const cpuBetween = (before: ProcessUsage, after: ProcessUsage) => ({
  cpuMicros: after.cpuMicros - before.cpuMicros,
  userMicros: after.userMicros - before.userMicros,
  systemMicros: after.systemMicros - before.systemMicros,
});
