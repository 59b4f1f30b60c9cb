import { setTimeout as delay } from 'node:timers/promises';
import { type Stack, startStack } from '@fanfare/local';
import { z } from 'zod';
import { createRandom, type Random } from '../../chaos/random.ts';
import { type Claims, Model } from './model.ts';
import { ObservedSockets, TOLD } from './sockets.ts';

const SOCKETS = 12;
const USERS = ['ann', 'bob', 'cy'] as const;
const NAMESPACES = ['/', '/other'] as const;
const ROOMS = ['a:1', 'a:2', 'b:1', 'b:1:x', 'public:1'] as const;
const PATTERNS = ['a:*', 'a:1', 'b:**', '*:1', '**', 'b:*'] as const;
const ACTIONS = ['join', 'publish', 'signal'] as const;

/** A token that ends takes seconds, as tokens end with a second: one operation in so many. */
const EXPIRES_ONE_IN = 250;
const PROGRESS = 1000;

const order = z.object({ at: z.number() });

export interface LeakReport {
  operations: number;
  /** How often each kind of operation was made. */
  kinds: Readonly<Record<string, number>>;
  /** Events that sockets heard, all of them rightly when nothing is wrong. */
  heard: number;
  /** Events that a socket heard although it may not, and answers other than the model's. */
  wrong: string[];
}

export interface LeakOptions {
  seed: number;
  operations: number;
  /** Further settings of the nodes. */
  env?: Readonly<Record<string, string>>;
  onProgress?: (line: string) => void;
}

/** Random operations against a real cluster and the model at once; stops at the first difference. */
export const findLeaks = async (options: LeakOptions): Promise<LeakReport> => {
  await using stack = await startStack({
    nodes: 2,
    env: {
      FANFARE_NAMESPACES: NAMESPACES.join(','),
      FANFARE_ROOM_RULES: 'public:*=join',
      FANFARE_TOKEN_TOLERANCE_MS: '0',
      ...options.env,
    },
  });
  using sockets = new ObservedSockets(stack);
  const run = new LeakRun(stack, sockets, createRandom(options.seed));
  let operations = 0;
  for (; operations < options.operations && run.wrong.length === 0; operations += 1) {
    if (operations % PROGRESS === 0 && operations > 0)
      options.onProgress?.(`leaks: ${operations} operations`);
    await run.step();
  }
  // What is told of everything at the end comes after whatever is still under way.
  for (const namespace of NAMESPACES) for (const room of ROOMS) await run.publish({ namespace, room });
  const { kinds, heard, wrong } = run;
  return { operations, kinds, heard, wrong };
};

class LeakRun {
  readonly #stack: Stack;
  readonly #sockets: ObservedSockets;
  readonly #random: Random;
  readonly #model = new Model();
  /** What the tokens issued so far say. */
  readonly #tokens: Claims[] = [];
  readonly #audiences = new Map<number, { missing: Set<number>; allowed: ReadonlySet<number> }>();
  readonly wrong: string[] = [];
  readonly kinds: Record<string, number> = {};
  heard = 0;
  #serial = 0;
  #log = '';

  constructor(stack: Stack, sockets: ObservedSockets, random: Random) {
    this.#stack = stack;
    this.#sockets = sockets;
    this.#random = random;
    sockets.onHeard = (socket, id) => {
      this.heard += 1;
      const audience = this.#audiences.get(id);
      if (!audience?.allowed.has(socket)) this.wrong.push(`${this.#log}: ${socket} heard ${id}, a leak`);
      else if (!audience.missing.delete(socket)) this.wrong.push(`${socket} heard ${id} twice`);
    };
  }

  /** One random operation, then a publish in a random room. */
  async step(): Promise<void> {
    const random = this.#random;
    const socket = random.below(SOCKETS);
    const place = { namespace: random.pick(NAMESPACES), room: random.pick(ROOMS) };
    const [kind, act] = this.#choose(socket, place);
    this.#log = `${kind} of ${socket} in ${place.namespace} ${place.room}`;
    this.kinds[kind] = (this.kinds[kind] ?? 0) + 1;
    await act();
    await this.publish(place);
  }

  #choose(socket: number, place: { namespace: string; room: string }): [string, () => Promise<void>] {
    const random = this.#random;
    const kind = random.below(100);
    const { namespace, room } = place;
    if (!this.#model.isConnected(socket) || kind < 8)
      return ['connect', () => this.#connect(socket, namespace)];
    if (random.below(EXPIRES_ONE_IN) === 0) return ['expire', () => this.#expire(socket, room)];
    if (kind < 45) return ['join', () => this.#join(socket, room)];
    if (kind < 55) return ['leave', () => this.#leave(socket, room)];
    if (kind < 68) return ['refresh', () => this.#refresh(socket)];
    if (kind < 76) return ['tell', () => this.#tell(socket, room)];
    if (kind < 84) return ['remove', () => this.#remove(random.pick(USERS), place)];
    if (kind < 90) return ['add', () => this.#add(random.pick(USERS), place)];
    if (kind < 92) return ['revoke', () => this.#revoke({ user: random.pick(USERS) })];
    if (kind < 94 && this.#tokens.length > 0)
      return ['revoke', () => this.#revoke({ jti: random.pick(this.#tokens).jti })];
    return ['publish', async () => undefined];
  }

  /** Publishes and waits for everybody who is to hear it. */
  async publish(place: { namespace: string; room: string }): Promise<void> {
    const id = this.#expect(this.#model.audience(place.namespace, place.room));
    await this.#call('POST', '/v1/publish', { ...place, event: TOLD, data: id });
    await this.#heard(id);
  }

  #expect(audience: readonly number[]): number {
    this.#serial += 1;
    this.#audiences.set(this.#serial, { missing: new Set(audience), allowed: new Set(audience) });
    return this.#serial;
  }

  async #heard(id: number): Promise<void> {
    await this.#sockets
      .until(() => {
        const { missing } = this.#audiences.get(id) ?? {};
        return missing?.size ? `${[...missing]} did not hear ${id}` : undefined;
      })
      .catch((error: unknown) => this.wrong.push(`${this.#log}: ${error}`));
  }

  #newToken(sub: string): Claims {
    const random = this.#random;
    const patterns = Array.from({ length: random.below(3) }, () => random.pick(PATTERNS));
    const actions = () => ACTIONS.filter(() => random.below(3) > 0);
    const claims = {
      sub,
      jti: `t${this.#tokens.length}`,
      // A moment later than the orders so far, and old for the next one in a second or two.
      iat: Math.floor(Date.now() / 1000) + 1 + random.below(2),
      namespaces: random.below(3) === 0 ? [random.pick(NAMESPACES)] : [...NAMESPACES],
      rooms: Object.fromEntries(patterns.map((pattern) => [pattern, actions()])),
    };
    this.#tokens.push(claims);
    return claims;
  }

  /** Half of the time one that is in use or worn out. */
  #token(sub: string): Claims {
    const own = this.#tokens.filter((claims) => claims.sub === sub);
    return own.length > 0 && this.#random.below(2) === 0 ? this.#random.pick(own) : this.#newToken(sub);
  }

  #userOf(socket: number): string {
    return USERS[socket % USERS.length] ?? USERS[0];
  }

  #compare(what: string, got: boolean, expected: boolean): void {
    if (got !== expected) this.wrong.push(`${this.#log}: ${what} is ${got}, the model says ${expected}`);
  }

  async #connect(socket: number, namespace: string): Promise<void> {
    await this.#connectWith(socket, { claims: this.#token(this.#userOf(socket)), namespace });
  }

  async #connectWith(socket: number, member: { claims: Claims; namespace: string }): Promise<void> {
    this.#model.disconnect(socket);
    const expected = this.#model.opens(member.claims, member.namespace);
    this.#compare('let in', await this.#sockets.connect(socket, member), expected);
    if (expected) this.#model.connect(socket, member);
  }

  async #join(socket: number, room: string): Promise<void> {
    const wasIn = this.#model.roomsOf(socket).includes(room);
    const expected = wasIn || this.#model.join(socket, room);
    this.#compare('join', await this.#sockets.join(socket, room), expected);
  }

  async #leave(socket: number, room: string): Promise<void> {
    // Not of the model until it is answered.
    await this.#sockets.leave(socket, room);
    this.#model.leave(socket, room);
  }

  async #refresh(socket: number, claims = this.#token(this.#userOf(socket))): Promise<void> {
    const token = await this.#stack.issueToken(claims);
    const expected = this.#model.refresh(socket, claims);
    this.#compare('refresh', await this.#sockets.ask(socket, 'token:refresh', { token }), expected);
    await this.#agree();
  }

  /** A member whose token ends hears nothing from then on, and comes in again with another one only. */
  async #expire(socket: number, room: string): Promise<void> {
    const namespace = this.#model.memberOf(socket)?.namespace ?? '/';
    const brief = this.#newToken(this.#userOf(socket));
    const exp = brief.iat + 1;
    const claims = Object.assign(brief, { exp, namespaces: [...NAMESPACES], rooms: { '**': [...ACTIONS] } });
    await this.#refresh(socket, claims);
    await this.#join(socket, room);
    await this.publish({ namespace, room });
    await delay(Math.max(0, exp * 1000 - Date.now()));
    this.#model.expire(socket);
    await this.#agree();
    await this.publish({ namespace, room });
    await this.#join(socket, room);
    await this.#tell(socket, room);
    await this.#refresh(socket, claims);
    if (this.#random.below(2) === 0) await this.#refresh(socket, this.#newToken(this.#userOf(socket)));
    if (this.#model.memberOf(socket)?.claims === claims)
      await this.#connectWith(socket, { claims, namespace });
  }

  /** A socket publishes or signals itself. */
  async #tell(socket: number, room: string): Promise<void> {
    const action = this.#random.pick(['publish', 'signal'] as const);
    const member = this.#model.memberOf(socket);
    if (member === undefined) return;
    const expected = this.#model.allows(member.claims, { namespace: member.namespace, room }, action);
    const audience = this.#model.audience(member.namespace, room);
    const hearers = audience.filter((one) => action === 'publish' || one !== socket);
    const id = this.#expect(expected ? hearers : []);
    const got = await this.#sockets.ask(socket, `room:${action}`, { room, event: TOLD, data: id });
    this.#compare(action, got, expected);
    await this.#heard(id);
  }

  async #remove(user: string, place: { namespace: string; room: string }): Promise<void> {
    const { at } = order.parse(await this.#call('DELETE', memberPath(user, place)));
    const meant = this.#model.holdersOf(({ sub }) => sub === user);
    this.#model.remove(user, place, at);
    await this.#obeyed();
    const there = meant.find(({ namespace }) => namespace === place.namespace);
    if (there !== undefined) await this.#join(there.socket, place.room);
  }

  async #add(user: string, place: { namespace: string; room: string }): Promise<void> {
    await this.#call('POST', memberPath(user, place));
    this.#model.add(user, place);
    await this.#obeyed();
  }

  async #revoke(whom: { user: string } | { jti: string }): Promise<void> {
    const { at } = order.parse(await this.#call('POST', '/v1/revocations', whom));
    const [meant] = this.#model.holdersOf(({ sub, jti }) =>
      'user' in whom ? sub === whom.user : jti === whom.jti,
    );
    if ('user' in whom) this.#model.revokeUser(whom.user, at);
    else this.#model.revokeToken(whom.jti);
    await this.#obeyed();
    // With the very token that was revoked.
    if (meant !== undefined) await this.#connectWith(meant.socket, meant);
  }

  /** Every node has heard of the orders so far when it has carried out one more. */
  async #obeyed(): Promise<void> {
    const room = `fence:${this.#serial}-${this.#random.below(1_000_000)}`;
    for (const [i] of this.#stack.nodes.entries()) await this.#fence(SOCKETS + i);
    await this.#call('POST', memberPath('fence', { namespace: '/', room }));
    await this.#sockets.until((sockets) => {
      const isOn = this.#stack.nodes.every((_, i) => sockets.roomsOf(SOCKETS + i).includes(room));
      return isOn ? undefined : 'an order takes more than 2 s';
    });
    await this.#agree();
  }

  async #fence(socket: number): Promise<void> {
    if (this.#sockets.isConnected(socket)) return;
    const claims = { sub: 'fence', jti: 'fence', iat: 1, namespaces: ['/'], rooms: {} };
    this.#compare('fence', await this.#sockets.connect(socket, { claims, namespace: '/' }), true);
  }

  /** What clients were told is what the model says. */
  async #agree(): Promise<void> {
    const difference = (sockets: ObservedSockets): string | undefined => {
      for (let socket = 0; socket < SOCKETS; socket += 1) {
        const [seen, meant] = [sockets, this.#model].map((side) =>
          side.isConnected(socket) ? `in ${side.roomsOf(socket)}` : 'gone',
        );
        if (seen !== meant) return `${socket} is ${seen}, the model says ${meant}`;
      }
      return undefined;
    };
    await this.#sockets
      .until(difference)
      .catch((error: unknown) => this.wrong.push(`${this.#log}: ${error}`));
  }

  async #call(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${this.#stack.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.#stack.apiKey}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const answer: unknown = await response.json();
    if (!response.ok) throw new Error(`${path} answers ${response.status}: ${JSON.stringify(answer)}`);
    return answer;
  }
}

const memberPath = (user: string, { namespace, room }: { namespace: string; room: string }): string =>
  `/v1/rooms/${room}/users/${user}?namespace=${encodeURIComponent(namespace)}`;
