import { type TokenClaims, tokenClaims, unionOf } from '@fanfare/protocol';
import { z } from 'zod';

const RULE = /^(?<pattern>[^=\s]+)=(?<actions>[^=]+)$/;

const readRule = (text: string): TokenClaims['rooms'] | undefined => {
  const { pattern, actions } = RULE.exec(text)?.groups ?? {};
  if (pattern === undefined || actions === undefined) return undefined;
  const grants = actions.split('+').map((action) => action.trim());
  return tokenClaims.shape.rooms.safeParse({ [pattern]: grants }).data;
};

/**
 * What everybody may do, whatever their token says: `public:*=join+signal, news:**=join+publish comment:*` – a room
 * pattern and its actions, as in the `rooms` of a token. Rules for the same pattern add up.
 */
export const roomRules = z.string().transform((text, context): TokenClaims['rooms'] => {
  let rules: TokenClaims['rooms'] = {};
  for (const item of text.split(',').map((part) => part.trim())) {
    const rule = readRule(item);
    if (rule !== undefined) rules = unionOf(rules, rule);
    else context.addIssue({ code: 'custom', message: `"${item}" does not look like public:*=join+signal` });
  }
  return rules;
});
