import type { Attack } from '../attack.ts';
import { malformedBodies } from './bodies.ts';
import { randomBusMessages } from './bus.ts';
import { FLOODS } from './floods.ts';
import { mutatedFrames } from './frames.ts';
import { nestedJson } from './nesting.ts';
import { PIECES } from './pieces.ts';

export const ATTACKS: readonly Attack[] = [
  mutatedFrames,
  nestedJson,
  randomBusMessages,
  ...FLOODS,
  ...PIECES,
  malformedBodies,
];
