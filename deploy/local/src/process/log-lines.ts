import { z } from 'zod';

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type Level = (typeof LEVELS)[number];

/** A line that one of the started processes wrote. */
export interface LogLine {
  /** `n1`, `api`, `redis`, `nginx` */
  process: string;
  stream: 'stdout' | 'stderr';
  text: string;
}

const record = z.looseObject({ level: z.enum(LEVELS), msg: z.string() });

const NGINX_LEVELS: Record<string, Level> = { debug: 'debug', info: 'info', notice: 'info', warn: 'warn' };

export const isLevel = (text: string | undefined): text is Level => LEVELS.some((level) => level === text);

const isAtLeast = (level: Level, threshold: Level): boolean =>
  LEVELS.indexOf(level) >= LEVELS.indexOf(threshold);

const parseRecord = (text: string) => {
  if (!text.startsWith('{')) return undefined;
  try {
    return record.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
};

/** Of a line that is no JSON record: what is printed by hand or by a crash is meant to be read. */
const levelOfText = ({ process, stream, text }: LogLine): Level => {
  // Redis warns of its defaults at every start; what matters of it, or of PostgreSQL, shows in the logs of the others.
  if (process === 'redis' || process === 'postgres') return 'info';
  if (process !== 'nginx') return stream === 'stderr' ? 'error' : 'warn';
  const named = /\[(debug|info|notice|warn|error|crit|alert|emerg)\]/.exec(text)?.[1];
  return named === undefined ? 'info' : (NGINX_LEVELS[named] ?? 'error');
};

/** One line for a reader at a terminal, or undefined when it is below the threshold. */
export const readableLine = (line: LogLine, threshold: Level): string | undefined => {
  const found = parseRecord(line.text);
  if (!found) return isAtLeast(levelOfText(line), threshold) ? `${line.process}  ${line.text}` : undefined;
  if (!isAtLeast(found.level, threshold)) return undefined;
  const { level, msg, time: _time, app: _app, node: _node, ...rest } = found;
  const fields = Object.keys(rest).length > 0 ? `  ${JSON.stringify(rest)}` : '';
  return `${line.process}  ${level}: ${msg}${fields}`;
};

/** The same as a JSON record; what is none becomes one. */
export const jsonLine = (line: LogLine, threshold: Level): string | undefined => {
  const found = parseRecord(line.text);
  const level = found?.level ?? levelOfText(line);
  if (!isAtLeast(level, threshold)) return undefined;
  if (found) return line.text;
  return JSON.stringify({ level, time: new Date().toISOString(), app: line.process, msg: line.text });
};
