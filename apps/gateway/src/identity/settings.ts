import { LIMITS } from '@fanfare/protocol';
import { commaList, flag, wholeNumber } from '@fanfare/runtime';
import { z } from 'zod';
import { tokenSecrets } from './keys/key-ring.ts';
import { jwksFile, pemFile } from './keys/public-keys.ts';
import { roomRules } from './room-rules.ts';

/** Who may come in and what everybody may do, as it stands in the environment. */
export const identitySettings = {
  FANFARE_TOKEN_SECRET: tokenSecrets
    .optional()
    .describe(
      'Secret of the HS256 tokens that clients connect with, at least 32 characters (48 for HS384, 64 for HS512); several, separated by commas or white space, are valid at once. Required unless there are other keys or FANFARE_ANONYMOUS',
    ),
  FANFARE_TOKEN_PEM_FILE: pemFile
    .optional()
    .describe(
      'File with public keys or certificates in PEM that RS, PS, ES and EdDSA tokens are verified with',
    ),
  FANFARE_TOKEN_JWKS_FILE: jwksFile.optional().describe('File with a JWKS, for the same'),
  FANFARE_TOKEN_JWKS_URL: z
    .url({ protocol: /^https?$/, error: 'expected a URL like https://id.example.com/.well-known/jwks.json' })
    .refine((url) => {
      const { username, password } = new URL(url);
      return username === '' && password === '';
    }, 'expected a URL without a user and a password')
    .optional()
    .describe(
      'Address of a JWKS, for the same: fetched at the start, every 10 minutes and for an unknown kid',
    ),
  FANFARE_TOKEN_AUDIENCE: commaList
    .default([])
    .describe('Tokens have to be for one of these (`aud`), separated by commas; empty: for anybody'),
  FANFARE_TOKEN_ISSUER: commaList
    .default([])
    .describe(
      'Tokens have to be from one of these (`iss`), separated by commas; empty: from anybody with the keys',
    ),
  FANFARE_TOKEN_TOLERANCE_MS: wholeNumber(0, LIMITS.toleranceMs)
    .default(0)
    .describe(
      'How far the clocks of issuer and gateway may be apart, in ms, when exp, nbf and iat are looked at',
    ),
  FANFARE_ROOM_RULES: roomRules
    .default({})
    .describe(
      'What everybody may do, beside what the token allows: pattern=action+action, … such as public:*=join+signal',
    ),
  FANFARE_ANONYMOUS: flag
    .default(false)
    .describe('Let in who comes without a token, to / and with no more than FANFARE_ROOM_RULES allows'),
} as const;

const KEYS = [
  'FANFARE_TOKEN_SECRET',
  'FANFARE_TOKEN_PEM_FILE',
  'FANFARE_TOKEN_JWKS_FILE',
  'FANFARE_TOKEN_JWKS_URL',
];

/** What is wrong between these settings. */
export const identityConflicts = (given: Readonly<Record<string, string>>): string[] =>
  KEYS.some((name) => given[name] !== undefined) || flag.safeParse(given.FANFARE_ANONYMOUS).data === true
    ? []
    : [
        'FANFARE_TOKEN_SECRET is not set: without it, FANFARE_TOKEN_PEM_FILE, FANFARE_TOKEN_JWKS_FILE or FANFARE_TOKEN_JWKS_URL nobody could connect',
      ];

export type IdentityConfig = ReturnType<typeof identityOf>;

export const identityOf = (settings: z.output<z.ZodObject<typeof identitySettings>>) =>
  ({
    secrets: settings.FANFARE_TOKEN_SECRET ?? [],
    publicKeys: [...(settings.FANFARE_TOKEN_PEM_FILE ?? []), ...(settings.FANFARE_TOKEN_JWKS_FILE ?? [])],
    jwksUrl: settings.FANFARE_TOKEN_JWKS_URL,
    tokens: {
      audiences: settings.FANFARE_TOKEN_AUDIENCE,
      issuers: settings.FANFARE_TOKEN_ISSUER,
      toleranceMs: settings.FANFARE_TOKEN_TOLERANCE_MS,
    },
    roomRules: settings.FANFARE_ROOM_RULES,
    anonymous: settings.FANFARE_ANONYMOUS,
  }) as const;
