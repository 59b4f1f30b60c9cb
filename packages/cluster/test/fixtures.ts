/** A value as it was recorded but for its times, which are other ones whenever it is made. */
export const withoutTimes = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value).replace(/\d{13,}/g, '0'));
