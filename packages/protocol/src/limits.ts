/** Limits of the contract: the same at the socket, over HTTP and on Redis. */
export const LIMITS = {
  /** Longest room name. */
  roomBytes: 200,
  /** Rooms in one `room:join` or one publish. */
  roomsPerRequest: 50,
  /** Commands in one batch. */
  batchCommands: 1000,
  /** Longest name of a user (`sub`), in characters. */
  userLength: 256,
  /** Longest time for which a node may take a token after its `exp`. */
  toleranceMs: 300_000,
  /** Largest `info` of a token, as JSON. */
  infoBytes: 1024,
  /** Members in one page of a room's presence. */
  presencePage: 100,
  /** Longest application event name, in characters. */
  eventNameLength: 128,
  /** Largest `data` of one logged event, as JSON. */
  eventBytes: 64 * 1024,
  /** Deepest nesting of an event's data: nodes and clients walk it recursively. */
  payloadDepth: 100,
  /** Levels around the data of an event: arguments, request, batch. */
  envelopeDepth: 4,
  /** Most elements and properties of one payload. */
  payloadEntries: 20_000,
  /** Longest name of a property in a payload, in characters. */
  payloadKeyLength: 1024,
  /** Most characters and bytes of one payload, whatever a deployment lets a message have. */
  payloadSize: 4 * 1024 * 1024,
  /** Longest idempotency id, in characters. */
  idLength: 128,
  /** Longest node id, in characters; it stands at the end of every session id. */
  nodeIdLength: 63,
} as const;
