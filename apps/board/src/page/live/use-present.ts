import { usePresence } from '@fanfare/client/react';
import { useEffect, useRef, useState } from 'react';
import { type Member, projectRoom } from '../../contract.ts';

/** A line of the chat that is not stored: it says what one has seen happen. */
export interface ComingAndGoing {
  id: string;
  kind: 'joined' | 'left';
  name: string;
  at: number;
}

/** Who is in a project's room now. */
export interface Present {
  /** Ids of users. */
  ids: ReadonlySet<string>;
  count: number;
  /** Who came and who went since the page was opened. */
  lines: readonly ComingAndGoing[];
}

const LINES = 50;
const NOBODY: ReadonlySet<string> = new Set();

/** Joined and left, told from two states of who is there; `before` is undefined at first, which is no news. */
const linesBetween = (
  before: ReadonlySet<string> | undefined,
  after: ReadonlySet<string>,
  nameOf: (id: string) => string,
): ComingAndGoing[] => {
  if (before === undefined) return [];
  const at = Date.now();
  const line = (kind: ComingAndGoing['kind'], id: string) => ({
    id: `${kind} ${id} ${at}`,
    kind,
    name: nameOf(id),
    at,
  });
  return [
    ...[...after].filter((id) => !before.has(id)).map((id) => line('joined', id)),
    ...[...before].filter((id) => !after.has(id)).map((id) => line('left', id)),
  ];
};

export const usePresent = (projectId: string | null, members: readonly Member[]): Present => {
  const { members: inRoom, count } = usePresence(projectId === null ? null : projectRoom(projectId));
  const [lines, setLines] = useState<readonly ComingAndGoing[]>([]);
  const [ids, setIds] = useState(NOBODY);
  const known = useRef<ReadonlySet<string>>(undefined);
  const names = useRef(members);
  names.current = members;
  useEffect(() => {
    const after = new Set(inRoom.map(({ user }) => user));
    setIds(after);
    if (after.size === 0) return;
    const nameOf = (id: string) => names.current.find((one) => one.id === id)?.name ?? 'Somebody';
    const news = linesBetween(known.current, after, nameOf);
    known.current = after;
    if (news.length > 0) setLines((all) => [...all, ...news].slice(-LINES));
  }, [inRoom]);
  return { ids, count, lines };
};
