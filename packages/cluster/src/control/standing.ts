import {
  type GivenOrder,
  givenAt,
  memberSubject,
  revocationSubjects,
  subjectOf,
  type TokenIdentity,
} from './order.ts';

/** Revocations and removals that are in force, in the memory of a process. */
export class Standing {
  readonly #bans = new Map<string, GivenOrder>();

  get size(): number {
    return this.#bans.size;
  }

  get orders(): Iterable<GivenOrder> {
    return this.#bans.values();
  }

  knows({ number, order }: GivenOrder): boolean {
    return order.kind !== 'disconnect' && this.#bans.get(subjectOf(order))?.number === number;
  }

  apply(given: GivenOrder): void {
    const { kind } = given.order;
    if (kind === 'disconnect') return;
    const subject = subjectOf(given.order);
    if (kind === 'add') this.#bans.delete(subject);
    else this.#bans.set(subject, given);
  }

  /** Whether a token opens nothing any more in a namespace. */
  isRevoked(token: TokenIdentity, namespace: string): boolean {
    if (this.#bans.size === 0) return false;
    return revocationSubjects(token, namespace).some((subject) => this.#bars(subject, token));
  }

  /** Whether the user was removed from a room after this token was issued. */
  isRemoved(token: TokenIdentity, place: { namespace: string; room: string }): boolean {
    return this.#bans.size > 0 && this.#bars(memberSubject(place, token.sub), token);
  }

  /** Forgets what has ended. */
  sweep(now: number = Date.now()): void {
    for (const [subject, { until }] of this.#bans) if (until <= now) this.#bans.delete(subject);
  }

  clear(): void {
    this.#bans.clear();
  }

  /** A token counts as issued before an order of the same second, and so does one that does not say when. */
  #bars(subject: string, { iat }: TokenIdentity): boolean {
    const ban = this.#bans.get(subject);
    if (ban === undefined) return false;
    const isOfOneToken = ban.order.kind === 'revoke-token' || ban.order.kind === 'revoke-session';
    return isOfOneToken || iat === undefined || iat * 1000 <= givenAt(ban);
  }
}
