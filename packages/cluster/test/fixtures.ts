/** A value as it was recorded but for its times, which are other ones whenever it is made. */
export const withoutTimes = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value).replace(/\d{13,}/g, '0'));

/** What a process reports that does nothing, but for the name of its node. */
export const idleReport = {
  worker: '0',
  incarnation: 'x',
  version: '0.1.0',
  startedAt: 1,
  connections: 0,
  users: 0,
  receivedPerSecond: 0,
  sentPerSecond: 0,
};
