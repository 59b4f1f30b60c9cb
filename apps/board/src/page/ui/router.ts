import { useSyncExternalStore } from 'react';

const BASE = '/board';
const listeners = new Set<() => void>();

const subscribe = (listener: () => void): (() => void) => {
  listeners.add(listener);
  addEventListener('popstate', listener);
  return () => {
    listeners.delete(listener);
    removeEventListener('popstate', listener);
  };
};

/** The path of the page below `/board`, such as `/p/42`. */
export const usePath = (): string =>
  useSyncExternalStore(subscribe, () => location.pathname.slice(BASE.length) || '/');

export const hrefOf = (path: string): string => `${BASE}${path}`;

/** Goes to another place of the page without loading it anew. */
export const navigate = (path: string): void => {
  if (location.pathname === hrefOf(path)) return;
  history.pushState(null, '', hrefOf(path));
  for (const listener of listeners) listener();
};
