import { z } from 'zod';
import { LIMITS } from '../limits.ts';
import { namespaceName } from '../names.ts';

const subject = z.string().min(1).max(LIMITS.userLength).optional();

/** `POST /v1/revocations` */
export const revocationRequest = z
  .strictObject({
    user: subject.describe('All tokens of this `sub` that were issued before now'),
    session: subject.describe('All tokens with this `sid`'),
    jti: subject.describe('The token with this `jti`'),
    namespace: namespaceName.optional().describe('Only in this namespace; default: in all of them'),
  })
  .refine(
    ({ user, session, jti }) => [user, session, jti].filter((one) => one !== undefined).length === 1,
    'give one of user, session and jti',
  )
  .meta({ id: 'RevocationRequest' });
export type RevocationRequest = z.input<typeof revocationRequest>;

/** `POST /v1/users/{user}/disconnect` */
export const disconnectRequest = z
  .strictObject({
    reconnect: z.boolean().default(false).describe('Whether the clients are to come back'),
  })
  .meta({ id: 'DisconnectRequest' });
export type DisconnectRequest = z.input<typeof disconnectRequest>;

/** Answer to an order about a user. */
export const orderResponse = z
  .object({
    at: z.int().describe('When it was given, in ms since 1970: tokens issued later are not concerned'),
    until: z.int().describe('Until when it is remembered, in ms since 1970'),
  })
  .meta({ id: 'OrderResponse' });
export type OrderResponse = z.infer<typeof orderResponse>;
