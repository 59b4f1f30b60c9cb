export { PublishError, type PublishErrorCode } from './error.ts';
export type { EventMap, Publication, PublishedRoom, ToRoom, ToRooms, ToUser } from './publication.ts';
export {
  type CallOptions,
  createPublisher,
  type HistoryQuery,
  type Publisher,
  type PublisherOptions,
} from './publisher.ts';
