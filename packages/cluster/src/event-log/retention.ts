import { z } from 'zod';
import type { RetentionRule } from './event-log.ts';

const BYTES: Record<string, number> = { kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 };
const MS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

const RULE =
  /^(?<pattern>[^=\s]+)=(?<count>\d{1,7})\/(?<size>\d{1,6})(?<unit>kb|mb|gb)\/(?<age>\d{1,6})(?<span>[smhd])$/;

const readRule = (text: string): RetentionRule | undefined => {
  const { pattern, count, size, unit, age, span } = RULE.exec(text)?.groups ?? {};
  if (pattern === undefined || unit === undefined || span === undefined) return undefined;
  const rule = {
    pattern,
    count: Number(count),
    bytes: Number(size) * (BYTES[unit] ?? 0),
    ageMs: Number(age) * (MS[span] ?? 0),
  };
  return rule.count > 0 && rule.bytes > 0 && rule.ageMs > 0 ? rule : undefined;
};

/**
 * How much of each room's past is kept: `chat:*=5000/4mb/7d, **=1000/1mb/24h` – room pattern, most events, most bytes,
 * longest age. The first rule that matches is used, so the last one has to match every room.
 */
export const retentionRules = z.string().transform((text, context): RetentionRule[] => {
  const rules: RetentionRule[] = [];
  for (const item of text.split(',').map((part) => part.trim())) {
    const rule = readRule(item);
    if (rule !== undefined) rules.push(rule);
    else context.addIssue({ code: 'custom', message: `"${item}" does not look like chat:*=1000/1mb/24h` });
  }
  if (rules.at(-1)?.pattern !== '**') {
    context.addIssue({ code: 'custom', message: 'the last rule must be for every room: **=…' });
  }
  return rules;
});

export const DEFAULT_RETENTION = 'inbox:*=500/512kb/7d, **=1000/1mb/24h';
