import { useConnection } from '@fanfare/client/react';
import { type RefObject, useCallback, useEffect, useRef, useState } from 'react';
import type { Message } from '../../contract.ts';
import type { ProjectPart } from '../live/project-part.ts';
import { newId } from '../ui/new-id.ts';
import { messageOf, RequestError, request } from '../ui/request.ts';

/** A message that is not known to be stored. */
export interface Outgoing {
  id: string;
  text: string;
  state: 'pending' | 'failed';
  /** Why it failed. */
  reason?: string;
}

/** How often a message is tried before it is shown as failed, and the pause between, in ms. */
const TRIES = 4;
const PAUSE_MS = 700;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const post = async (projectId: string, { id, text }: Outgoing): Promise<Message> => {
  for (let tries = 1; ; tries += 1) {
    try {
      return await request<Message>('POST', `/projects/${projectId}/messages`, { id, text });
    } catch (error) {
      if (!(error instanceof RequestError && error.mayRetry) || tries === TRIES) throw error;
      await pause(PAUSE_MS * 2 ** (tries - 1));
    }
  }
};

/**
 * Messages on their way: pending, then gone from here because they are sent, or failed. The id is made once, so a message
 * whose answer was lost may be sent again and is there once.
 */
const useOutgoing = ({ projectId, dispatch, state }: ProjectPart) => {
  const [waiting, setWaiting] = useState<readonly Outgoing[]>([]);
  const { status } = useConnection();

  const deliver = useCallback(
    async (message: Outgoing) => {
      try {
        const data = await post(projectId, message);
        dispatch({ type: 'told', event: { event: 'message:sent', data } });
        setWaiting((all) => all.filter(({ id }) => id !== message.id));
      } catch (error) {
        const failed = { ...message, state: 'failed' as const, reason: messageOf(error) };
        setWaiting((all) => all.map((one) => (one.id === message.id ? failed : one)));
      }
    },
    [projectId, dispatch],
  );

  // One after the other: two requests at once may be stored in any order.
  const turn = useRef(Promise.resolve());
  const enqueue = useCallback(
    (message: Outgoing) => {
      turn.current = turn.current.then(() => deliver(message));
    },
    [deliver],
  );

  const send = useCallback(
    (text: string) => {
      const message: Outgoing = { id: newId(), text, state: 'pending' };
      setWaiting((all) => [...all, message]);
      enqueue(message);
    },
    [enqueue],
  );

  const again = useCallback(
    (message: Outgoing) => {
      const pending: Outgoing = { id: message.id, text: message.text, state: 'pending' };
      setWaiting((all) => all.map((one) => (one.id === message.id ? pending : one)));
      enqueue(pending);
    },
    [enqueue],
  );

  // What failed while the network was away goes out by itself when it is back.
  const failed = useRef<readonly Outgoing[]>([]);
  failed.current = waiting.filter((one) => one.state === 'failed');
  useEffect(() => {
    if (status !== 'connected') return;
    for (const message of failed.current) again(message);
  }, [status, again]);

  // The room may have told of it before its answer came, or instead of it.
  const told = new Set(state.messages.map(({ id }) => id));
  return { waiting: waiting.filter(({ id }) => !told.has(id)), send, again };
};

/** What somebody has written and is not stored yet: it outlives the chat, which is not always in sight. */
export interface Writing {
  outgoing: ReturnType<typeof useOutgoing>;
  /** What stands in the composer. */
  draft: RefObject<string>;
}

export const useWriting = (part: ProjectPart): Writing => ({
  outgoing: useOutgoing(part),
  draft: useRef(''),
});
