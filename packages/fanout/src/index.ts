export type { BacklogOptions, Waiting } from './backlog/backlogs.ts';
export type { FanoutCounters } from './collector.ts';
export { pendingBytes } from './connection/pending-bytes.ts';
export { type FanoutFactory, type FanoutOptions, fanout } from './fanout.ts';
