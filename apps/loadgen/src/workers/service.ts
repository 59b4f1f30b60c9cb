import { ConnectionGroup } from '../load/connections.ts';
import { Publisher } from '../load/publishing.ts';
import type { CallName, Calls } from './calls.ts';

/** What one load worker does when it is asked: the other end of `WorkerPool`. */
export class LoadService {
  readonly #groups = new Map<string, ConnectionGroup>();
  readonly #publishers: Publisher[] = [];

  readonly calls: { [Name in CallName]: (order: Calls[Name]['order']) => Promise<Calls[Name]['result']> } = {
    connect: (order) => {
      const group = new ConnectionGroup(order);
      this.#groups.set(order.group, group);
      return group.connect();
    },
    publish: (order) => {
      const publisher = new Publisher(order);
      this.#publishers.push(publisher);
      return publisher.run();
    },
    collect: (order) => this.#group(order.group).collect(order),
    progress: async () => {
      const groups = [...this.#groups.values()];
      return {
        open: groups.reduce((sum, group) => sum + group.open, 0),
        received: groups.reduce((sum, group) => sum + group.received, 0),
        published: this.#publishers.reduce((sum, publisher) => sum + publisher.accepted, 0),
      };
    },
    close: async ({ group }) => {
      this.#group(group).close();
      this.#groups.delete(group);
      return null;
    },
  };

  #group(name: string): ConnectionGroup {
    const group = this.#groups.get(name);
    if (!group) throw new Error(`no connections are called "${name}"`);
    return group;
  }
}
