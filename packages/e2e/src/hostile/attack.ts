import type { Stack } from '@fanfare/local';
import type { Random } from '../chaos/random.ts';
import type { Check } from '../chaos/verdict.ts';
import type { RawConnection } from './connection.ts';

/** How much of everything. */
export interface Scale {
  frames: number;
  /** Random messages on all channels of Redis together. */
  busMessages: number;
  /** How often each depth of nesting is tried on each event. */
  nestings: number;
  /** Connections of an attack that takes many. */
  attackers: number;
}

export interface Target {
  readonly stack: Stack;
  readonly random: Random;
  readonly scale: Scale;
}

export interface Outcome {
  /** Frames, messages or requests. */
  sent: number;
  /** Time from the first blow to the end of the connection, of everyone who is to be cut; Infinity for who was not. */
  cutMs?: readonly number[];
  checks?: readonly Check[];
}

export interface Attack {
  name: string;
  run(target: Target): Promise<Outcome>;
  /** Set where the attackers can forge what members hear: then clients may miss what was replaced. */
  mayForge?: boolean;
}

const PATIENCE_MS = 10_000;

/** How long after `since` the connection ended; Infinity when it goes on. */
export const cutAfter = async (connection: RawConnection, since: number): Promise<number> => {
  const { promise, resolve } = Promise.withResolvers<number>();
  const timer = setTimeout(resolve, PATIENCE_MS, Number.POSITIVE_INFINITY);
  const at = await Promise.race([connection.closed, promise]);
  clearTimeout(timer);
  return at - since;
};

/** The port of one of the nodes, in turn. */
export const portOf = ({ stack }: Target, turn: number): number => {
  const node = stack.nodes[turn % stack.nodes.length];
  if (node === undefined) throw new Error('a stack without nodes');
  return node.port;
};
