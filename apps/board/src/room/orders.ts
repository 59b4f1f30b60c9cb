import { sql } from 'kysely';
import type { Logger } from 'pino';
import { projectRoom } from '../contract.ts';
import type { Database, Trx } from '../database/database.ts';

/** How long until what the cluster did not take is tried again, in ms. */
const RETRY_MS = 2000;
const TIMEOUT_MS = 3000;

/** Ends what the tokens that a user has by now allow in a project's room; those made later are valid. */
export const putOut = async (
  trx: Trx,
  { projectId, userId }: { projectId: string; userId: string },
): Promise<void> => {
  // Another id: one that is being told at the moment is not this one.
  await trx
    .insertInto('removals')
    .values({ project_id: projectId, user_id: userId })
    .onConflict((conflict) =>
      conflict.columns(['project_id', 'user_id']).doUpdateSet({ id: sql`gen_random_uuid()` }),
    )
    .execute();
};

/** Ends the tokens of one login, on all of its pages. */
export const revoke = async (trx: Trx, sid: string): Promise<void> => {
  await trx
    .insertInto('revocations')
    .values({ sid })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
};

/** Tells the cluster whose sockets may no longer what they could. */
export interface Orders extends AsyncDisposable {
  /** Does what stands in the tables, now and until it is done. */
  settle(): Promise<void>;
}

interface Order {
  method: 'DELETE' | 'POST';
  path: string;
  body?: object;
  /** Once the cluster has taken it. */
  forget: () => Promise<unknown>;
}

/**
 * An order is a row of the transaction that is the reason for it, and goes when the cluster has taken it: neither a crash
 * nor an unreachable cluster leaves somebody listening.
 */
export const createOrders = (db: Database, cluster: { url: string; apiKey: string }, log: Logger): Orders => {
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  const send = async ({ method, path, body }: Order): Promise<number> => {
    const answer = await fetch(new URL(path, cluster.url), {
      method,
      headers: {
        authorization: `Bearer ${cluster.apiKey}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await answer.arrayBuffer();
    return answer.status;
  };

  const readOrders = async (): Promise<Order[]> => {
    const removals = await db.selectFrom('removals').selectAll().execute();
    const revocations = await db.selectFrom('revocations').selectAll().execute();
    return [
      ...removals.map(({ id, project_id, user_id }) => ({
        method: 'DELETE' as const,
        path: `/v1/rooms/${encodeURIComponent(projectRoom(project_id))}/users/${encodeURIComponent(user_id)}`,
        forget: () => db.deleteFrom('removals').where('id', '=', id).execute(),
      })),
      ...revocations.map(({ sid }) => ({
        method: 'POST' as const,
        path: '/v1/revocations',
        body: { session: sid },
        forget: () => db.deleteFrom('revocations').where('sid', '=', sid).execute(),
      })),
    ];
  };

  /** One that is refused keeps none of the others; a cluster that cannot be reached is not asked for each. */
  const settleAll = async (): Promise<void> => {
    const refused = new Set<number>();
    for (const order of await readOrders()) {
      const status = await send(order);
      if (status < 300) await order.forget();
      else refused.add(status);
    }
    if (refused.size > 0) throw new Error(`the cluster answered ${[...refused].join(', ')}`);
  };

  const settle = async (): Promise<void> => {
    try {
      if (!closed) await settleAll();
    } catch (error) {
      if (closed) return;
      log.warn({ err: error }, 'order about a user not yet told to the cluster');
      clearTimeout(timer);
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
