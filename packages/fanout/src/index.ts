export type { FanoutCounters } from './collector.ts';
export { type FanoutFactory, type FanoutOptions, fanout } from './fanout.ts';
export { pendingBytes } from './pending-bytes.ts';
