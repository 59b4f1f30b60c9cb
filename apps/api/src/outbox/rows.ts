import { inboxRoom, type Publication } from '@fanfare/cluster';
import { AppError, checkLoggable, outboxEvent } from '@fanfare/protocol';
import { explain } from '../http/errors.ts';
import { checkNamespace } from '../http/parameters.ts';
import type { WaitingRow } from './session.ts';

/** A room as the rows of one are told apart from those of others. */
export const placeOf = ({ namespace, room, recipient }: WaitingRow): string =>
  `${namespace} ${room ?? `~${recipient}`}`;

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AppError('invalid_payload', '"data" is not JSON', { cause });
  }
};

/**
 * What the cluster is told for a row. Throws for what no try can mend, as what SQL cannot check, and `not_found` for a
 * namespace that this process does not know, or not yet.
 */
export const toPublication = (row: WaitingRow, namespaces: readonly string[]): Publication => {
  const data = parsed(row.data);
  const common = { namespace: row.namespace, event: row.event, data, id: row.event_id };
  const checked =
    row.room === null
      ? outboxEvent.toUser.safeParse({ ...common, user: row.recipient })
      : outboxEvent.toRoom.safeParse({ ...common, room: row.room, except: row.excepted ?? undefined });
  if (!checked.success) throw new AppError('invalid_payload', explain(checked.error, 'The event'));
  checkLoggable(data);
  checkNamespace(namespaces, row.namespace);
  return {
    ...common,
    rooms: [row.room ?? inboxRoom(row.recipient ?? '')],
    except: row.excepted ?? [],
    publisher: 'outbox',
    ephemeral: false,
    sequence: { name: row.instance, number: row.id },
  };
};
