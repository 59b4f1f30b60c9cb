import type { Stack } from '@fanfare/local';
import { nextEvent } from '@fanfare/testing';
import { io, type Socket } from 'socket.io-client';
import { z } from 'zod';
import type { Claims } from './model.ts';

export const TOLD = 'leak:told';

const PATIENCE_MS = 2000;

const ack = z.looseObject({ ok: z.boolean() });

/** Sockets by number, what each has heard, and the rooms that the gateways have said it is in. */
export class ObservedSockets implements Disposable {
  readonly #stack: Stack;
  readonly #sockets = new Map<number, Socket>();
  readonly #rooms = new Map<number, Set<string>>();
  /** Looks whether what is waited for is so. */
  #look: () => void = () => undefined;
  /** Called at each event that some socket hears. */
  onHeard: (socket: number, id: number) => void = () => undefined;

  constructor(stack: Stack) {
    this.#stack = stack;
  }

  isConnected(socket: number): boolean {
    return this.#sockets.get(socket)?.connected === true;
  }

  roomsOf(socket: number): readonly string[] {
    return [...(this.#rooms.get(socket) ?? [])].sort();
  }

  /** Whether the gateway has let it in; odd numbers are on the second node. */
  async connect(socket: number, member: { claims: Claims; namespace: string }): Promise<boolean> {
    this.disconnect(socket);
    const node = this.#stack.nodes[socket % this.#stack.nodes.length];
    const client = io(`${node?.url}${member.namespace}`, {
      auth: { token: await this.#stack.issueToken(member.claims) },
      transports: ['websocket'],
      forceNew: true,
      reconnection: false,
    });
    const rooms = new Set<string>();
    client.on(TOLD, (id: unknown) => this.onHeard(socket, Number(id)));
    client.on('room:joined', ({ room }: { room: string }) => void rooms.add(room));
    client.on('room:left', ({ room }: { room: string }) => void rooms.delete(room));
    client.on('disconnect', () => rooms.clear());
    for (const event of [TOLD, 'room:joined', 'room:left', 'disconnect'])
      client.on(event, () => this.#look());
    const connected = nextEvent(client, 'connect').then(() => true);
    const refused = new Promise<false>((resolve) => client.once('connect_error', () => resolve(false)));
    const isIn = await Promise.race([connected, refused]);
    connected.catch(() => undefined);
    if (!isIn) {
      client.disconnect();
      return false;
    }
    this.#sockets.set(socket, client);
    this.#rooms.set(socket, rooms);
    return true;
  }

  disconnect(socket: number): void {
    this.#sockets.get(socket)?.disconnect();
    this.#sockets.delete(socket);
    this.#rooms.delete(socket);
  }

  /** Whether the gateway has answered with `ok`. */
  async ask(socket: number, event: string, payload: unknown): Promise<boolean> {
    const client = this.#sockets.get(socket);
    if (client === undefined) return false;
    return ack.parse(await client.timeout(5000).emitWithAck(event, payload)).ok;
  }

  async join(socket: number, room: string): Promise<boolean> {
    const isIn = await this.ask(socket, 'room:join', { room });
    if (isIn) this.#rooms.get(socket)?.add(room);
    return isIn;
  }

  async leave(socket: number, room: string): Promise<void> {
    if (await this.ask(socket, 'room:leave', { room })) this.#rooms.get(socket)?.delete(room);
  }

  /** Resolves once the gateways have said so of every socket, which they have 2 s for; one at a time. */
  until(check: (sockets: this) => string | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      let problem: string | undefined;
      const timer = setTimeout(() => {
        this.#look = () => undefined;
        reject(new Error(`Not so within ${PATIENCE_MS} ms: ${problem}`));
      }, PATIENCE_MS);
      this.#look = () => {
        problem = check(this);
        if (problem !== undefined) return;
        this.#look = () => undefined;
        clearTimeout(timer);
        resolve();
      };
      this.#look();
    });
  }

  [Symbol.dispose](): void {
    for (const client of this.#sockets.values()) client.disconnect();
  }
}
