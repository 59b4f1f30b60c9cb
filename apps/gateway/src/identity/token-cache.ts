import type { TokenClaims } from '@fanfare/protocol';

const MAX_TOKENS = 1000;
/** Together with the first bound: 1000 tokens of usual length, or 256 of the longest. */
const MAX_CHARACTERS = 1024 * 1024;

/** Tokens that were verified of late, so that a client that comes back costs no signature check. */
export interface TokenCache {
  /** The claims of a token that is known and has not ended; `now` in seconds. */
  find(token: string, now: number): TokenClaims | undefined;
  add(token: string, claims: TokenClaims): void;
  clear(): void;
}

/** Forgets the token that was used longest ago first. */
export function createTokenCache(limits = { tokens: MAX_TOKENS, characters: MAX_CHARACTERS }): TokenCache {
  const tokens = new Map<string, TokenClaims>();
  let characters = 0;
  const remove = (token: string) => {
    if (tokens.delete(token)) characters -= token.length;
  };
  return {
    find: (token, now) => {
      const cached = tokens.get(token);
      if (cached === undefined) return undefined;
      remove(token);
      if (cached.exp <= now) return undefined;
      tokens.set(token, cached);
      characters += token.length;
      return cached;
    },
    add: (token, claims) => {
      remove(token);
      tokens.set(token, claims);
      characters += token.length;
      for (const oldest of tokens.keys()) {
        if (tokens.size <= limits.tokens && characters <= limits.characters) break;
        remove(oldest);
      }
    },
    clear: () => {
      tokens.clear();
      characters = 0;
    },
  };
}
