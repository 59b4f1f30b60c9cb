export { AppError, ERRORS, type ErrorCode, type WireError } from './errors.ts';
export { type AckResult, defineEvent, type EventDefinition } from './event.ts';
export {
  type DirectMeta,
  type EventMeta,
  type RoomEvent,
  roomJoin,
  roomLeave,
  roomPublish,
  roomSignal,
  tokenRefresh,
  userSend,
} from './events.ts';
export {
  type BatchRequest,
  type BatchResponse,
  type BatchResult,
  batchRequest,
  batchResponse,
  batchResult,
  type ClearHistoryResponse,
  type ClusterResponse,
  clearHistoryResponse,
  clusterResponse,
  type HistoryResponse,
  historyResponse,
  type NodeReport,
  nodeReport,
  type Problem,
  type PublishRequest,
  type PublishResponse,
  type PublishResult,
  problem,
  publishRequest,
  publishResponse,
  publishResult,
  type RoomsResponse,
  roomsResponse,
  userPublishRequest,
} from './http.ts';
export { LIMITS } from './limits.ts';
export {
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
export {
  type PresenceChanged,
  type PresenceMember,
  type PresencePage,
  type PresenceState,
  presenceList,
  presencePage,
} from './presence.ts';
