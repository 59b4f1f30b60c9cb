import { Timer } from './timing.ts';

/**
 * A token, or what fetches one: called for the first connection, before expiry and when a gateway refuses the last; and
 * again when it takes longer than 15 s.
 */
export type TokenProvider = string | (() => string | Promise<string>);

/** No token is used in the last moments of its life: it could expire on its way. */
const SAFETY_MS = 5000;
/** Shortest time between two tokens, for a provider that gives the same one until it expires. */
const MIN_REFRESH_MS = 1000;
/** Longest wait for a token function, in ms: one that hangs is called again. */
const FETCH_TIMEOUT_MS = 15_000;
/** The largest delay of a timer. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** `exp` of a JWT in ms since 1970; undefined when it cannot be read. The signature is the gateway's business. */
export const expiryOf = (token: string): number | undefined => {
  try {
    const payload = token.split('.')[1] ?? '';
    const claims: unknown = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/')));
    const exp = typeof claims === 'object' && claims !== null && 'exp' in claims ? claims.exp : undefined;
    return typeof exp === 'number' ? exp * 1000 : undefined;
  } catch {
    return undefined;
  }
};

/** When to fetch the next token, in ms from now: in the last quarter of the life, spread so that clients do not do it together. */
export const refreshDelay = (token: string, now = Date.now()): number | undefined => {
  const expiry = expiryOf(token);
  // By this clock it has expired already: the clock is wrong, and `session:expiring` will tell.
  if (expiry === undefined || expiry <= now) return undefined;
  const delay = (expiry - now) * (0.75 + Math.random() * 0.15);
  return Math.min(Math.max(delay, MIN_REFRESH_MS), MAX_TIMER_MS);
};

/** Keeps the last token for as long as it is good, so that a reconnect costs the app's backend nothing. */
export class TokenSource {
  readonly isFixed: boolean;
  readonly #provider: TokenProvider;
  #token: string | undefined;
  #pending: Promise<string> | undefined;
  #calls = 0;
  /** Calls up to this one say nothing new: a later one has answered, or they were for a session that is over. */
  #answered = 0;
  readonly #timer = new Timer();
  readonly #timeoutMs: number;

  constructor(provider: TokenProvider, timeoutMs = FETCH_TIMEOUT_MS) {
    this.#provider = provider;
    this.#timeoutMs = timeoutMs;
    this.isFixed = typeof provider === 'string';
  }

  /** The last token, if it was not refused since. */
  get current(): string | undefined {
    return this.#token;
  }

  async get(): Promise<string> {
    const token = this.#token;
    if (token === undefined || this.isFixed) return this.renew();
    const expiry = expiryOf(token);
    return expiry !== undefined && expiry - SAFETY_MS < Date.now() ? this.renew() : token;
  }

  /** A fresh token; those who ask at the same time share it. */
  renew(): Promise<string> {
    if (this.#pending !== undefined) return this.#pending;
    const pending = new Promise<string>((resolve, reject) => {
      this.#timer.set(this.#timeoutMs, () => reject(new Error(`No token within ${this.#timeoutMs} ms`)));
      this.#ask().then(resolve, reject);
    }).finally(() => {
      if (this.#pending === pending) this.#endWait();
    });
    this.#pending = pending;
    return pending;
  }

  /** The last token is no longer accepted. */
  forget(): void {
    this.#token = undefined;
  }

  /** The session is over, and the next one may be another user's: what is still under way is not for it. */
  reset(): void {
    this.forget();
    this.#endWait();
    this.#answered = this.#calls;
  }

  #endWait(): void {
    this.#pending = undefined;
    this.#timer.clear();
  }

  async #ask(): Promise<string> {
    const provider = this.#provider;
    this.#calls += 1;
    const call = this.#calls;
    const token = typeof provider === 'string' ? provider : await provider();
    // One that comes too late for those who waited is good for the next one.
    if (call > this.#answered) {
      this.#answered = call;
      this.#token = token;
    }
    return token;
  }
}
