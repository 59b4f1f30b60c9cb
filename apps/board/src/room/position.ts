import { createPublisher } from '@fanfare/publisher';
import type { Logger } from 'pino';
import { type Position, projectRoom } from '../contract.ts';

/** Longest wait for the cluster, in ms: without it a page is only shown somewhat less live. */
const TIMEOUT_MS = 1500;
/** A cluster that did not answer is not waited for again for so long, in ms. */
const PAUSE_MS = 3000;

/** Where a project's room is now; null when the cluster does not say. Asked before the snapshot that goes with it is read. */
export type PositionOf = (projectId: string) => Promise<Position | null>;

export const createPositions = (cluster: { url: string; apiKey: string }, log: Logger): PositionOf => {
  const publisher = createPublisher(cluster);
  let pauseUntil = 0;
  return async (projectId) => {
    if (performance.now() < pauseUntil) return null;
    try {
      const query = { limit: 1, direction: 'backward' } as const;
      const { epoch, offset } = await publisher.history(projectRoom(projectId), query, {
        timeoutMs: TIMEOUT_MS,
      });
      return { epoch, offset };
    } catch (error) {
      pauseUntil = performance.now() + PAUSE_MS;
      log.warn({ err: error }, 'the cluster did not say where a room is');
      return null;
    }
  };
};
