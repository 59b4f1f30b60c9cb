/** What happens on the bus, told as it happens. */
export interface BusObserver {
  /** A message for the other nodes was not handed to Redis. */
  publishDropped(error: unknown): void;
  /** Others sent so many messages while this process could not hear them. */
  missed(count: number): void;
  /** Something on our channels was not a message that this node understands; it was ignored. */
  invalidMessage(channel: string): void;
  /** A cluster query was answered without these nodes. */
  partialAnswer(query: string, missing: readonly string[]): void;
  /** Members of a room were told to start anew. */
  roomReset(reason: string): void;
}
