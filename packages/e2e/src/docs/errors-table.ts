import { ERRORS } from '@fanfare/protocol';
import { code, table } from './markdown.ts';

/** Every code that a client or a backend can meet. */
export const errorsTable = (): string =>
  table(
    ['Code', 'HTTP status', 'Retryable', 'Message'],
    Object.entries(ERRORS).map(([name, { status, retryable, message }]) => [
      code(name),
      String(status),
      retryable ? 'yes' : 'no',
      message,
    ]),
  );
