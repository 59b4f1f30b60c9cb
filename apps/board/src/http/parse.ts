import type { Request } from 'express';
import { z } from 'zod';
import { BoardError } from './error.ts';

/** What a page sent, checked; throws `invalid` in the words of the schema. */
export const parse = <Schema extends z.ZodType>(schema: Schema, given: unknown): z.output<Schema> => {
  const { data, error } = schema.safeParse(given);
  if (error === undefined) return data;
  const [issue] = error.issues;
  const where = issue?.path.length ? `"${issue.path.join('.')}": ` : '';
  throw new BoardError('invalid', issue && `${where}${issue.message}`);
};

const uuid = z.uuid();

/** An id in the path of a request; what cannot be one names nothing. */
export const idIn = (request: Request, name: string): string => {
  const { data } = uuid.safeParse(request.params[name]);
  if (data === undefined) throw new BoardError('not_found');
  return data;
};

/** Any text that a database can keep: PostgreSQL takes no NUL. */
export const plain = z
  .string()
  .refine((given) => !given.includes('\0'), 'It has a character that is no text');

/** Text that a person wrote, without blanks around it. */
export const text = (maxLength: number) => plain.trim().min(1, 'Write something first').max(maxLength);
