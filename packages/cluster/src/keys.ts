/** The channel prefix of `@socket.io/redis-adapter`, kept so that stock nodes and every emitter interoperate. */
const SOCKET_IO_PREFIX = 'socket.io';

/** The sockets of this process that are told of a room's presence: a room without a channel, so nobody else addresses it. */
export const presenceRoom = (room: string): string => `=${room}`;
/** The room whose presence is told in such a room; undefined for every other one. */
export const roomToldIn = (room: string): string | undefined =>
  room.startsWith('=') ? room.slice(1) : undefined;

/** Every key and channel is built here; one hash tag per multi-key script. */
export const keys = {
  /** Hash: `node/worker` → the last report as JSON. */
  nodeReports: '{fanfare:nodes}:reports',
  /** Sorted set: `node/worker` → when its lease ends, in ms of Redis's clock. */
  nodeLeases: '{fanfare:nodes}:leases',
  /** Sorted set: what each order is about → its number. The three keys and the channel share a slot. */
  orderNumbers: '{fanfare:orders}:numbers',
  /** Sorted set: what each order is about → when it is forgotten, in ms of Redis's clock. */
  orderEnds: '{fanfare:orders}:ends',
  /** Hash: what each order is about → the order as JSON. */
  orders: '{fanfare:orders}:given',
  /** Channel on which nodes are told of each order. */
  orderChannel: '{fanfare:orders}',
  /** String: a mark that is gone when all data is. */
  nodesMark: '{fanfare:nodes}:mark',
  /** Channel on which one process hears itself through Redis; on a cluster the first part of several. */
  probe: (incarnation: string): string => `fanfare:probe:${incarnation}`,
  /** Channel on which a process that was deaf asks all others what they sent meanwhile, and that of the answers to it. */
  missedChannel: 'fanfare:missed',
  missedAnswerChannel: (process: string): string => `fanfare:missed:${process}`,

  /** Broadcasts to a namespace: to several rooms, to all, or with acks. */
  namespaceChannel: (namespace: string): string => `${SOCKET_IO_PREFIX}#${namespace}#`,
  /** Broadcasts to exactly one room. */
  roomChannel: (namespace: string, room: string): string => `${SOCKET_IO_PREFIX}#${namespace}#${room}#`,
  requestChannel: (namespace: string): string => `${SOCKET_IO_PREFIX}-request#${namespace}#`,
  responseChannel: (namespace: string): string => `${SOCKET_IO_PREFIX}-response#${namespace}#`,

  /** Hash: epoch and offset of a room, and how large its log is. Its tag is the room's channel, so key and shard channel share a slot. */
  roomHead: (namespace: string, room: string): string => `{${keys.roomChannel(namespace, room)}}:head`,
  /** Stream: the room's events, by offset. */
  roomLog: (namespace: string, room: string): string => `{${keys.roomChannel(namespace, room)}}:log`,
  /** String: where an event with this id of this publisher stands. */
  eventId: (place: { namespace: string; room: string }, publisher: string, id: string): string =>
    `{${keys.roomChannel(place.namespace, place.room)}}:id:${publisher}:${id}`,
  /** Hash: who is present in a room, by user. */
  presentMembers: (namespace: string, room: string): string =>
    `{${keys.roomChannel(namespace, room)}}:members`,
  /** Sorted set: the same users in the order of their names. */
  presentOrder: (namespace: string, room: string): string => `{${keys.roomChannel(namespace, room)}}:order`,
  /** Set: the users whom one lease holds in a room. */
  presentLease: (place: { namespace: string; room: string }, lease: string): string =>
    `{${keys.roomChannel(place.namespace, place.room)}}:lease:${lease}`,
  /** Channel of the changes of a room's presence, in the slot of its keys; stock nodes do not hear it. */
  presenceChannel: (namespace: string, room: string): string =>
    `{${keys.roomChannel(namespace, room)}}:presence`,
  /** Sorted set: presence lease → when it runs out, in ms of Redis's clock. */
  presenceLeases: '{fanfare:presence}:leases',
  /** Sorted set: ended presence lease → until when somebody takes it apart. */
  presenceEnded: '{fanfare:presence}:ended',
  /** String: when any process has last renewed a presence lease. */
  presencePulse: '{fanfare:presence}:pulse',
  /** Set: the rooms in which a lease holds users. */
  presenceRooms: (lease: string): string => `{fanfare:presence}:rooms:${lease}`,

  /** The room of a head's key. */
  roomOfHead: (namespace: string, key: string): string =>
    key.slice(`{${SOCKET_IO_PREFIX}#${namespace}#`.length, -'#}:head'.length),
  /** Pattern of the heads of all rooms of a namespace. */
  roomHeads: (namespace: string): string => `{${SOCKET_IO_PREFIX}#${namespace}#*#}:head`,
} as const;
