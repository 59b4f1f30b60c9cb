import { type Dispatch, useEffect, useMemo, useState } from 'react';
import { RequestError, request } from '../ui/request.ts';
import type { SnapshotAction } from './project-state.ts';

const MOST_MS = 30_000;

/** The pause after so many tries, in ms; more than a second, as the times of tokens are whole seconds. */
export const backoffMs = (tries: number): number => Math.min(1100 * 2 ** tries, MOST_MS);

const pause = (tries: number) => new Promise<void>((resolve) => setTimeout(resolve, backoffMs(tries)));

export interface Snapshots {
  /** Tries until there is an answer. Whether it is a snapshot; false too for what another call has taken over. */
  load(): Promise<boolean>;
  /** Whatever is on its way comes to nothing. */
  stop(): void;
}

/** Fetches snapshots, of which only the newest counts: an older one may have been read before what was told since. */
export const createSnapshots = <Snapshot>(deps: {
  fetchOne: () => Promise<Snapshot>;
  dispatch: (action: SnapshotAction<Snapshot>) => void;
  /** Told of every try that failed, and of the end of a problem. */
  setProblem: (problem: RequestError | undefined) => void;
  pauseAfter?: (tries: number) => Promise<void>;
}): Snapshots => {
  const { fetchOne, dispatch, setProblem, pauseAfter = pause } = deps;
  let newest = 0;
  const load = async (): Promise<boolean> => {
    newest += 1;
    const own = newest;
    for (let tries = 0; own === newest; tries += 1) {
      dispatch({ type: 'fetching' });
      try {
        const snapshot = await fetchOne();
        if (own !== newest) return false;
        dispatch({ type: 'fetched', snapshot });
        setProblem(undefined);
        return true;
      } catch (error) {
        if (!(error instanceof RequestError)) throw error;
        if (own !== newest) return false;
        setProblem(error);
        if (!error.mayRetry) return false;
      }
      await pauseAfter(tries);
    }
    return false;
  };
  return {
    load,
    stop: () => {
      newest += 1;
    },
  };
};

/** Fetches what a page shows: at first, and whenever `load` is called. */
export const useSnapshot = <Snapshot>(path: string, dispatch: Dispatch<SnapshotAction<Snapshot>>) => {
  const [problem, setProblem] = useState<RequestError>();
  const [isBehind, setIsBehind] = useState(true);
  const { load, stop } = useMemo(() => {
    const fetchOne = () => request<Snapshot>('GET', path);
    const told = (action: SnapshotAction<Snapshot>) => {
      dispatch(action);
      setIsBehind(action.type === 'fetching');
    };
    return createSnapshots({ fetchOne, dispatch: told, setProblem });
  }, [path, dispatch]);
  useEffect(() => {
    void load();
    return stop;
  }, [load, stop]);
  return { load, problem, isBehind };
};
