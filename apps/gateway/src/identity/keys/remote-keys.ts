import { type PublicKey, readJwks } from './public-keys.ts';

/** Largest answer of a JWKS endpoint that is read. */
const MAX_BYTES = 256 * 1024;

/** How often and how long a JWKS endpoint is asked, in ms. */
export interface RemoteTiming {
  /** Least time between two requests, once there are keys. */
  cooldownMs: number;
  /** The same while there are none. */
  retryMs: number;
  /** Age at which keys are fetched again, beside the tokens that go on being verified with them. */
  maxAgeMs: number;
  /** Longest time of one request. */
  timeoutMs: number;
}

const TIMING: RemoteTiming = { cooldownMs: 30_000, retryMs: 1000, maxAgeMs: 600_000, timeoutMs: 5000 };

/** The keys of a JWKS endpoint, asked when they are needed and no sooner than allowed. */
export interface RemoteKeys extends Disposable {
  /** What was fetched last; undefined until the first time that it worked. */
  readonly keys: readonly PublicKey[] | undefined;
  /** Fetches unless that was done a moment ago; never rejects. */
  refresh(): Promise<void>;
  /** Fetches in the background what has come to its age. */
  refreshOld(): void;
}

/** What becomes of fetched keys; told nothing while they stay the same. */
export interface RemoteObserver {
  keysChanged(keys: number): void;
  keysFailed(reason: string): void;
}

export function createRemoteKeys(
  url: string,
  observer: RemoteObserver,
  timing: Partial<RemoteTiming> = {},
): RemoteKeys {
  const { cooldownMs, retryMs, maxAgeMs, timeoutMs } = { ...TIMING, ...timing };
  const closing = new AbortController();
  let keys: readonly PublicKey[] | undefined;
  let text: string | undefined;
  let askedAt = Number.NEGATIVE_INFINITY;
  let running: Promise<void> | undefined;

  const fetchKeys = async (): Promise<void> => {
    askedAt = performance.now();
    try {
      const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(timeoutMs)]);
      const fetched = await readText(url, signal);
      if (fetched === text) return;
      keys = readJwks(fetched);
      text = fetched;
      observer.keysChanged(keys.length);
    } catch (thrown) {
      if (!closing.signal.aborted) observer.keysFailed(reasonOf(thrown));
    } finally {
      running = undefined;
    }
  };
  const refresh = (): Promise<void> => {
    const waitMs = keys === undefined ? retryMs : cooldownMs;
    if (running === undefined && performance.now() - askedAt >= waitMs && !closing.signal.aborted) {
      running = fetchKeys();
    }
    return running ?? Promise.resolve();
  };
  return {
    get keys() {
      return keys;
    },
    refresh,
    refreshOld: () => {
      if (performance.now() - askedAt >= maxAgeMs) void refresh();
    },
    [Symbol.dispose]: () => closing.abort(),
  };
}

const readText = async (url: string, signal: AbortSignal): Promise<string> => {
  const response = await fetch(url, { signal, redirect: 'error', headers: { accept: 'application/json' } });
  if (!response.ok || response.body === null) {
    await response.body?.cancel();
    throw new Error(`answered ${response.status}`);
  }
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  for await (const chunk of response.body) {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) throw new Error(`answered more than ${MAX_BYTES} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
};

/** `fetch failed` hides why in its cause. */
const reasonOf = (thrown: unknown): string => {
  const deepest = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown;
  return deepest instanceof Error ? deepest.message : String(deepest);
};
