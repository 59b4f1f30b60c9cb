import { useClient, useEvent } from '@fanfare/client/react';
import { useCallback, useEffect, useRef, useState } from 'react';
import { projectRoom } from '../../contract.ts';
import type { ProjectPart } from '../live/project-part.ts';

/** Somebody who has not written for so long has stopped, in ms. */
const IDLE_MS = 2000;
/** While somebody writes it is told again every so often, in ms. */
const AGAIN_MS = 1000;
/** Without news for so long it is over, whatever was lost on the way, in ms. */
const EXPIRES_MS = 2400;

/** Tells the others that one writes. */
export const useOwnTyping = ({ projectId, mayWrite }: ProjectPart) => {
  const client = useClient();
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const toldAt = useRef(0);

  const signal = useCallback(
    (event: 'typing:started' | 'typing:stopped') => {
      // What is lost of it is of no importance.
      client.signal(projectRoom(projectId), event, null).catch(() => undefined);
    },
    [client, projectId],
  );
  const stopped = useCallback(() => {
    clearTimeout(timer.current);
    if (toldAt.current === 0) return;
    toldAt.current = 0;
    signal('typing:stopped');
  }, [signal]);
  const typed = useCallback(() => {
    if (!mayWrite) return;
    clearTimeout(timer.current);
    timer.current = setTimeout(stopped, IDLE_MS);
    if (Date.now() - toldAt.current < AGAIN_MS) return;
    toldAt.current = Date.now();
    signal('typing:started');
  }, [mayWrite, signal, stopped]);
  useEffect(() => stopped, [stopped]);
  return { typed, stopped };
};

/** Names of those who write now, but for the user's own in other tabs. */
export const useTyping = ({ room, state, user }: ProjectPart): readonly string[] => {
  const [ids, setIds] = useState<readonly string[]>([]);
  const timers = useRef(new Map<string, ReturnType<typeof setTimeout>>());
  const stop = useCallback((id: string) => {
    clearTimeout(timers.current.get(id));
    timers.current.delete(id);
    setIds((all) => all.filter((one) => one !== id));
  }, []);
  useEvent(room, 'typing:started', (_, { from: id = '' }) => {
    clearTimeout(timers.current.get(id));
    timers.current.set(
      id,
      setTimeout(() => stop(id), EXPIRES_MS),
    );
    setIds((all) => (all.includes(id) ? all : [...all, id]));
  });
  useEvent(room, 'typing:stopped', (_, { from: id = '' }) => stop(id));
  useEvent(room, 'message:sent', ({ author }) => stop(author.id));
  useEffect(() => {
    const all = timers.current;
    return () => {
      for (const timer of all.values()) clearTimeout(timer);
      all.clear();
    };
  }, []);
  return state.members.filter(({ id }) => id !== user.id && ids.includes(id)).map(({ name }) => name);
};
