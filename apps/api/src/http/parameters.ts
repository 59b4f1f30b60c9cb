import { AppError, namespaceName, sharedRoomName, userName } from '@fanfare/protocol';
import { z } from 'zod';
import type {} from 'zod-openapi';

/** A whole number as it stands in a query, described as the number that it is. */
export const queryNumber = ({ min, max }: { min: number; max: number }): z.ZodType<number, string> => {
  const error = `expected a whole number from ${min} to ${max}`;
  return z
    .string(error)
    .refine((text) => /^\d{1,16}$/.test(text) && Number(text) >= min && Number(text) <= max, error)
    .transform(Number)
    .meta({ override: { type: 'integer', minimum: min, maximum: max } });
};

/** The same for a number that has a preset. */
export const presetNumber = (
  preset: number,
  range: { min: number; max: number },
): z.ZodType<number, string | undefined> =>
  queryNumber(range)
    .default(preset)
    .meta({ override: { default: preset } });

export const inNamespace = namespaceName.default('/').describe('The namespace that the rooms belong to');

/** `{room}` of a path; a colon may stand there as it is. */
export const roomPath = z.strictObject({ room: sharedRoomName.describe('The room, such as project:42') });

/** `{user}` of a path, where any character but letters, digits and `- . _ ~` is percent-encoded. */
export const userPath = z.strictObject({ user: userName.describe('The user, `sub` of their tokens') });

/** Throws `not_found` for a namespace that the configuration does not have. */
export const checkNamespace = (configured: readonly string[], namespace: string): void => {
  if (configured.includes(namespace)) return;
  throw new AppError('not_found', `There is no namespace "${namespace}" in this cluster`);
};
