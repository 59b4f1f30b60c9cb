import { admitAnonymous } from './anonymous.ts';
import { createClaimsReader } from './claims.ts';
import { createKeyRing } from './keys/key-ring.ts';
import type { RemoteObserver } from './keys/remote-keys.ts';
import type { IdentityConfig } from './settings.ts';
import { createTokenVerifier, type VerifyToken } from './verifier.ts';

/** Who clients are. */
export interface Identity extends Disposable {
  /** Checks a token. */
  readonly verify: VerifyToken;
  /** Checks who wants to come in: the same, but where anonymous clients are let in, they need no token. */
  readonly admit: VerifyToken;
}

export function openIdentity(config: IdentityConfig, observer: RemoteObserver): Identity {
  const keys = createKeyRing(config, observer);
  const readClaims = createClaimsReader(config.roomRules);
  const verify = createTokenVerifier({ keys, rules: config.tokens, readClaims });
  return {
    verify,
    admit: config.anonymous ? admitAnonymous(verify, config.roomRules) : verify,
    [Symbol.dispose]: () => keys[Symbol.dispose](),
  };
}
