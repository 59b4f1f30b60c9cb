import type { Logger } from 'pino';
import { projectRoom } from '../contract.ts';
import type { Database } from '../database/database.ts';

/** How long until what the cluster did not take is tried again, in ms. */
const RETRY_MS = 2000;
const TIMEOUT_MS = 3000;

/** Puts the sockets of removed members out of their room. */
export interface Removals extends AsyncDisposable {
  /** Does what stands in the table, now and until it is done. */
  settle(): Promise<void>;
}

/**
 * A removal is a row of the transaction that ends the membership, and goes when the cluster has taken it: neither a crash
 * nor an unreachable cluster leaves somebody listening.
 */
export const createRemovals = (
  db: Database,
  cluster: { url: string; apiKey: string },
  log: Logger,
): Removals => {
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  const remove = async (projectId: string, userId: string): Promise<void> => {
    const path = `/v1/rooms/${encodeURIComponent(projectRoom(projectId))}/users/${encodeURIComponent(userId)}`;
    const answer = await fetch(new URL(path, cluster.url), {
      method: 'DELETE',
      headers: { authorization: `Bearer ${cluster.apiKey}` },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await answer.arrayBuffer();
    if (!answer.ok) throw new Error(`the cluster answered ${answer.status}`);
  };

  const settleAll = async (): Promise<void> => {
    const removals = await db.selectFrom('removals').selectAll().execute();
    for (const { project_id, user_id } of removals) {
      await remove(project_id, user_id);
      await db
        .deleteFrom('removals')
        .where('project_id', '=', project_id)
        .where('user_id', '=', user_id)
        .execute();
    }
  };

  const settle = async (): Promise<void> => {
    clearTimeout(timer);
    try {
      await settleAll();
    } catch (error) {
      if (closed) return;
      log.warn({ err: error }, 'removal not yet told to the cluster');
      timer = setTimeout(settle, RETRY_MS);
    }
  };

  return {
    settle,
    [Symbol.asyncDispose]: async () => {
      closed = true;
      clearTimeout(timer);
    },
  };
};
