import type { Broadcast } from './broadcast.ts';

/**
 * A node of the trie of frame sequences. Connections with the same frames pending are at the same node, so
 * appending a frame is a move to a child and the bytes of a node are built once for all of them.
 */
export class Sequence {
  readonly bytes: number;
  /** Engine.IO packets, of which a broadcast with attachments is several. */
  readonly packets: number;
  readonly #parent: Sequence | null;
  readonly #broadcast: Broadcast | null;
  #joined: Buffer | null = null;
  #lastBroadcast: Broadcast | null = null;
  #lastChild: Sequence | null = null;
  #children: Map<Broadcast, Sequence> | null = null;

  private constructor(parent: Sequence | null, broadcast: Broadcast | null) {
    this.#parent = parent;
    this.#broadcast = broadcast;
    this.bytes = (parent?.bytes ?? 0) + (broadcast?.frame.length ?? 0);
    this.packets = (parent?.packets ?? 0) + (broadcast?.packets.length ?? 0);
  }

  static root(): Sequence {
    return new Sequence(null, null);
  }

  plus(broadcast: Broadcast): Sequence {
    if (this.#lastBroadcast === broadcast && this.#lastChild !== null) return this.#lastChild;
    return this.#child(broadcast);
  }

  /** The frames as one buffer, which connections at the same node share. */
  join(): Buffer {
    this.#joined ??= this.#concat();
    return this.#joined;
  }

  broadcasts(): Broadcast[] {
    const broadcasts: Broadcast[] = [];
    for (let node: Sequence | null = this; node !== null; node = node.#parent) {
      if (node.#broadcast !== null) broadcasts.push(node.#broadcast);
    }
    return broadcasts.reverse();
  }

  #child(broadcast: Broadcast): Sequence {
    let child = this.#children?.get(broadcast);
    if (child === undefined) {
      child = new Sequence(this, broadcast);
      // Most nodes have one child: the map is made for the second.
      if (this.#lastBroadcast !== null && this.#lastChild !== null) {
        this.#children ??= new Map([[this.#lastBroadcast, this.#lastChild]]);
        this.#children.set(broadcast, child);
      }
    }
    this.#lastBroadcast = broadcast;
    this.#lastChild = child;
    return child;
  }

  #concat(): Buffer {
    const frames = this.broadcasts().map(({ frame }) => frame);
    const only = frames.length === 1 ? frames[0] : undefined;
    return only ?? Buffer.concat(frames, this.bytes);
  }
}
