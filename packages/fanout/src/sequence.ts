import type { Broadcast } from './broadcast.ts';

/**
 * A node of the trie of frame sequences. Connections with the same frames pending are at the same node, so
 * appending a frame is a move to a child and the bytes of a node are built once for all of them.
 */
export class Sequence {
  readonly bytes: number;
  readonly #parent: Sequence | null;
  readonly #frame: Buffer | null;
  #joined: Buffer | null = null;
  #lastBroadcast: Broadcast | null = null;
  #lastChild: Sequence | null = null;
  #children: Map<Broadcast, Sequence> | null = null;

  private constructor(parent: Sequence | null, frame: Buffer | null) {
    this.#parent = parent;
    this.#frame = frame;
    this.bytes = (parent?.bytes ?? 0) + (frame?.length ?? 0);
  }

  static root(): Sequence {
    return new Sequence(null, null);
  }

  plus(broadcast: Broadcast): Sequence {
    if (this.#lastBroadcast === broadcast && this.#lastChild !== null) return this.#lastChild;
    return this.#child(broadcast);
  }

  #child(broadcast: Broadcast): Sequence {
    let child = this.#children?.get(broadcast);
    if (child === undefined) {
      child = new Sequence(this, broadcast.frame);
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

  join(): Buffer {
    this.#joined ??= this.#concat();
    return this.#joined;
  }

  #concat(): Buffer {
    const frames: Buffer[] = [];
    for (let node: Sequence | null = this; node !== null; node = node.#parent) {
      if (node.#frame !== null) frames.push(node.#frame);
    }
    const only = frames.length === 1 ? frames[0] : undefined;
    return only ?? Buffer.concat(frames.reverse(), this.bytes);
  }
}
