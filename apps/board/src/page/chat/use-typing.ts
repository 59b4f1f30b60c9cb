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
export const useOwnTyping = ({ projectId, user, mayWrite }: ProjectPart) => {
  const client = useClient();
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const toldAt = useRef(0);

  const signal = useCallback(
    (event: 'typing:started' | 'typing:stopped') => {
      // What is lost of it is of no importance.
      client.signal(projectRoom(projectId), event, { name: user.name }).catch(() => undefined);
    },
    [client, projectId, user.name],
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

/** Names of those who write now. */
export const useTyping = ({ room }: ProjectPart): readonly string[] => {
  const [names, setNames] = useState<readonly string[]>([]);
  const timers = useRef(new Map<string, ReturnType<typeof setTimeout>>());
  const stop = useCallback((name: string) => {
    clearTimeout(timers.current.get(name));
    timers.current.delete(name);
    setNames((all) => all.filter((one) => one !== name));
  }, []);
  useEvent(room, 'typing:started', ({ name }) => {
    clearTimeout(timers.current.get(name));
    timers.current.set(
      name,
      setTimeout(() => stop(name), EXPIRES_MS),
    );
    setNames((all) => (all.includes(name) ? all : [...all, name]));
  });
  useEvent(room, 'typing:stopped', ({ name }) => stop(name));
  useEvent(room, 'message:sent', ({ author }) => stop(author.name));
  useEffect(() => {
    const all = timers.current;
    return () => {
      for (const timer of all.values()) clearTimeout(timer);
      all.clear();
    };
  }, []);
  return names;
};
