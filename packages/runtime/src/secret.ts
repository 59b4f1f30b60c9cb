import { inspect } from 'node:util';

/** A value that prints as `[redacted]` wherever it ends up; only `reveal()` gives it. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return '[redacted]';
  }

  toJSON(): string {
    return '[redacted]';
  }

  [inspect.custom](): string {
    return '[redacted]';
  }
}

/** A text without the user and password of the URL in it, as `REDIS_URL` may have them. */
export const hideCredentials = (text: string): string => text.replace(/\/\/[^\s,]*@/g, '//[redacted]@');
