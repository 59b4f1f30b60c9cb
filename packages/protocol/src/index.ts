export { AppError, ERRORS, type ErrorCode, type WireError } from './errors.ts';
export { type AckResult, defineEvent, type EventDefinition } from './events/event.ts';
export {
  type DirectMeta,
  type EventMeta,
  type ResetReason,
  type RoomEvent,
  roomJoin,
  roomLeave,
  roomPublish,
  roomSignal,
  tokenRefresh,
  userSend,
} from './events/events.ts';
export {
  type PresenceChanged,
  type PresenceMember,
  type PresencePage,
  type PresenceState,
  presenceList,
  presencePage,
} from './events/presence.ts';
export { type ClusterResponse, clusterResponse, type NodeReport, nodeReport } from './http/cluster.ts';
export { type Problem, problem } from './http/problem.ts';
export {
  type BatchRequest,
  type BatchResponse,
  type BatchResult,
  batchRequest,
  batchResponse,
  batchResult,
  type PublishRequest,
  type PublishResponse,
  type PublishResult,
  publishRequest,
  publishResponse,
  publishResult,
  userPublishRequest,
} from './http/publish.ts';
export {
  type ClearHistoryResponse,
  clearHistoryResponse,
  type HistoryResponse,
  historyResponse,
  type RoomsResponse,
  roomsResponse,
} from './http/rooms.ts';
export {
  type DisconnectRequest,
  disconnectRequest,
  type OrderResponse,
  orderResponse,
  type RevocationRequest,
  revocationRequest,
} from './http/users.ts';
export { LIMITS } from './limits.ts';
export {
  eventId,
  eventName,
  INBOX,
  isInbox,
  isProtocolEvent,
  isRoomName,
  isUserRoom,
  namespaceName,
  nodeId,
  roomName,
  sharedRoomName,
  userName,
  userRoom,
} from './names.ts';
export { outboxEvent } from './outbox.ts';
export { checkLoggable, checkPayload, type PayloadBounds } from './payload.ts';
export {
  everyRoom,
  isAllowed,
  matchesPattern,
  mayReachUser,
  ROOM_ACTIONS,
  type RoomAction,
  roomPattern,
  type TokenClaims,
  tokenClaims,
  unionOf,
} from './permissions.ts';
