/** What a token says. */
export interface Claims {
  sub: string;
  jti: string;
  /** Seconds since 1970. */
  iat: number;
  /** Seconds since 1970; default a day from its issue. */
  exp?: number;
  namespaces: readonly string[];
  rooms: Readonly<Record<string, string[]>>;
}

interface Member {
  claims: Claims;
  namespace: string;
  rooms: Set<string>;
}

const isOver = ({ exp = Number.POSITIVE_INFINITY }: Claims): boolean => exp * 1000 <= Date.now();

/** What the configuration allows everybody, as in a token. */
const RULES: Claims['rooms'] = { 'public:*': ['join'] };

/** A room pattern as a regular expression: another way to read it than the gateways'. */
const matches = (pattern: string, room: string): boolean => {
  const source = pattern.replaceAll('**', '\u0000').replaceAll('*', '[^:]+').replaceAll('\u0000', '.+');
  return new RegExp(`^${source}$`).test(room);
};

/** The contract in the plainest words: who is a member of what, and who may become one. */
export class Model {
  readonly #members = new Map<number, Member>();
  /** Until when tokens are old, in ms, by what they are revoked by. */
  readonly #revokedUsers = new Map<string, number>();
  readonly #revokedTokens = new Set<string>();
  readonly #removals = new Map<string, number>();

  isConnected(socket: number): boolean {
    return this.#members.has(socket);
  }

  memberOf(socket: number): Readonly<Member> | undefined {
    return this.#members.get(socket);
  }

  /** Rooms of a connected socket. */
  roomsOf(socket: number): readonly string[] {
    return [...(this.#members.get(socket)?.rooms ?? [])].sort();
  }

  audience(namespace: string, room: string): number[] {
    return [...this.#members]
      .filter(([, member]) => member.namespace === namespace && member.rooms.has(room))
      .map(([socket]) => socket);
  }

  /** Sockets whose token is this one, and the namespace that each is in. */
  holdersOf(isMeant: (claims: Claims) => boolean): { socket: number; claims: Claims; namespace: string }[] {
    return [...this.#members].flatMap(([socket, { claims, namespace }]) =>
      isMeant(claims) ? [{ socket, claims, namespace }] : [],
    );
  }

  opens(claims: Claims, namespace: string): boolean {
    const { sub, jti, iat, namespaces } = claims;
    if (isOver(claims)) return false;
    const revokedAt = this.#revokedUsers.get(sub) ?? Number.NEGATIVE_INFINITY;
    return namespaces.includes(namespace) && !this.#revokedTokens.has(jti) && iat * 1000 > revokedAt;
  }

  allows(claims: Claims, place: { namespace: string; room: string }, action: string): boolean {
    if (isOver(claims)) return false;
    const removedAt = this.#removals.get(`${place.namespace} ${place.room} ${claims.sub}`);
    if (removedAt !== undefined && claims.iat * 1000 <= removedAt) return false;
    return [...Object.entries(RULES), ...Object.entries(claims.rooms)].some(
      ([pattern, actions]) => matches(pattern, place.room) && actions.includes(action),
    );
  }

  connect(socket: number, member: { claims: Claims; namespace: string }): void {
    this.#members.set(socket, { ...member, rooms: new Set() });
  }

  disconnect(socket: number): void {
    this.#members.delete(socket);
  }

  /** Whether the socket is a member afterwards. */
  join(socket: number, room: string): boolean {
    const member = this.#members.get(socket);
    if (member === undefined) return false;
    if (this.allows(member.claims, { namespace: member.namespace, room }, 'join')) member.rooms.add(room);
    return member.rooms.has(room);
  }

  leave(socket: number, room: string): void {
    this.#members.get(socket)?.rooms.delete(room);
  }

  /** Whether the socket has the new token afterwards. */
  refresh(socket: number, claims: Claims): boolean {
    const member = this.#members.get(socket);
    if (member === undefined || !this.opens(claims, member.namespace)) return false;
    member.claims = claims;
    const { namespace, rooms } = member;
    for (const room of rooms) if (!this.allows(claims, { namespace, room }, 'join')) rooms.delete(room);
    return true;
  }

  /** The end of a socket's token: it stays connected for a while, in no room. */
  expire(socket: number): void {
    this.#members.get(socket)?.rooms.clear();
  }

  /** `at` in ms. */
  remove(user: string, place: { namespace: string; room: string }, at: number): void {
    this.#removals.set(`${place.namespace} ${place.room} ${user}`, at);
    for (const { claims, namespace, rooms } of this.#members.values()) {
      const isMeant = claims.sub === user && namespace === place.namespace && claims.iat * 1000 <= at;
      if (isMeant) rooms.delete(place.room);
    }
  }

  add(user: string, place: { namespace: string; room: string }): void {
    this.#removals.delete(`${place.namespace} ${place.room} ${user}`);
    for (const { claims, namespace, rooms } of this.#members.values())
      if (claims.sub === user && namespace === place.namespace) rooms.add(place.room);
  }

  revokeUser(user: string, at: number): void {
    this.#revokedUsers.set(user, at);
    this.#dropRevoked();
  }

  revokeToken(jti: string): void {
    this.#revokedTokens.add(jti);
    this.#dropRevoked();
  }

  #dropRevoked(): void {
    for (const [socket, { claims, namespace }] of this.#members)
      if (!this.opens(claims, namespace)) this.#members.delete(socket);
  }
}
