export {
  type Client,
  type ClientOptions,
  createClient,
  type Published,
  type PublishOptions,
  type SignalOptions,
} from './client.ts';
export type { Position, RoomReset } from './contract.ts';
export { FanfareError, type FanfareErrorCode } from './error.ts';
export type { RoomState } from './rooms/cursor.ts';
export type {
  AppEvents,
  DirectHandlers,
  EventOf,
  JoinOptions,
  Register,
  RoomHandle,
  RoomHandlers,
} from './rooms/handle.ts';
export type { PresenceView } from './rooms/presence.ts';
export type { ConnectionState, ConnectionStatus } from './session/connection.ts';
export type { BackoffOptions } from './session/timing.ts';
export type { TokenProvider } from './session/token.ts';
