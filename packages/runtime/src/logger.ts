import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger } from 'pino';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** JSON lines on stdout with ISO times and level names; `bindings` stand in every line. */
export const createLogger = (
  options: { level: LogLevel; bindings: Record<string, string> },
  destination?: DestinationStream,
): Logger =>
  pino(
    {
      level: options.level,
      base: options.bindings,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
