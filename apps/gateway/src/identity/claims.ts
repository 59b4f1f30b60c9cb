import { type TokenClaims, tokenClaims, unionOf } from '@fanfare/protocol';

type Grants = Pick<TokenClaims, 'rooms' | 'namespaces' | 'users'>;

const person = tokenClaims.omit({ rooms: true, namespaces: true, users: true });
const grants = tokenClaims.pick({ rooms: true, namespaces: true, users: true });

/** What the `sub` of those who come without a token begins with, and that of no token. */
export const ANONYMOUS = 'anonymous:';

/** Whether somebody came without a token, and so is nobody to be shown to others. */
export const isAnonymous = (user: string): boolean => user.startsWith(ANONYMOUS);

/** Different grants that are remembered before those not seen for as long are forgotten; each is shorter than a token. */
const GENERATION = 100;

/** Turns the payload of a verified token into claims, with what everybody may do added; throws what zod does. */
export type ReadClaims = (payload: Readonly<Record<string, unknown>>) => TokenClaims;

/**
 * Grants that come a second time are kept, so that all tokens that say the same share them: parsed and joined with the
 * rules once, and once in memory, where thousands of sockets mostly have the same.
 */
export function createClaimsReader(rules: TokenClaims['rooms']): ReadClaims {
  const hasRules = Object.keys(rules).length > 0;
  /** The grants of a text, once it was seen twice. */
  let recent = new Map<string, Grants | undefined>();
  let earlier: typeof recent = new Map();

  const remember = (text: string, own: Grants | undefined): void => {
    if (recent.size >= GENERATION) {
      earlier = recent;
      recent = new Map();
    }
    recent.set(text, own);
  };
  const read = (given: unknown): Grants => {
    const parsed = grants.parse(given);
    return hasRules ? { ...parsed, rooms: unionOf(rules, parsed.rooms) } : parsed;
  };
  const grantsOf = (given: unknown): Grants => {
    const text = JSON.stringify(given);
    const known = recent.get(text);
    if (known !== undefined) return known;
    const isSecond = recent.has(text) || earlier.has(text);
    const own = isSecond ? (earlier.get(text) ?? shareable(read(given))) : read(given);
    remember(text, isSecond ? own : undefined);
    return own;
  };
  return (payload) => {
    const { rooms, namespaces, users } = payload;
    return { ...person.parse(payload), ...grantsOf({ rooms, namespaces, users }) };
  };
}

/** What many sockets share no one may change, a team's handlers neither. */
export const shareable = <Own extends Grants & Pick<TokenClaims, 'info'>>(own: Own): Own => {
  for (const list of Object.values(own.rooms)) Object.freeze(list);
  for (const part of [own.rooms, own.namespaces, own.users, own.info]) Object.freeze(part);
  return Object.freeze(own);
};
