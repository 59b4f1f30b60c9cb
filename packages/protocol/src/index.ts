export { AppError, ERRORS, type ErrorCode, type WireError } from './errors.ts';
export { type AckResult, defineEvent, type EventDefinition } from './event.ts';
export {
  type EventMeta,
  type RoomEvent,
  roomJoin,
  roomLeave,
  roomPublish,
  roomSignal,
  tokenRefresh,
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
} from './http.ts';
export { LIMITS } from './limits.ts';
export {
  eventName,
  isProtocolEvent,
  isRoomName,
  namespaceName,
  nodeId,
  roomName,
  userRoom,
} from './names.ts';
export { checkLoggable, checkPayload, type PayloadBounds } from './payload.ts';
export {
  everyRoom,
  isAllowed,
  matchesPattern,
  ROOM_ACTIONS,
  type RoomAction,
  roomPattern,
  type TokenClaims,
  tokenClaims,
} from './permissions.ts';
