import type { DirectMeta } from '@fanfare/protocol';
import type { Socket } from 'socket.io-client';
import { isDirectMeta } from './contract.ts';
import { callApp } from './error.ts';
import { listenerOf } from './rooms/handle.ts';

/** Hands over what users send to each other; returns how to stop that. */
export const listenDirect = (socket: Socket, handlers: object): (() => void) => {
  const listener = listenerOf<DirectMeta>(handlers);
  const take = (event: string, data: unknown, meta: unknown) => {
    if (isDirectMeta(meta)) callApp(() => listener({ event, data, meta }));
  };
  socket.onAny(take);
  return () => void socket.offAny(take);
};
