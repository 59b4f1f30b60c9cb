import { AppError } from './errors.ts';
import { LIMITS } from './limits.ts';

/** Deepest nesting of an event's data: nodes and clients walk it recursively. */
const MAX_DEPTH = 100;

/** Throws unless `data` can be logged: JSON, at most 100 levels deep and 64 KB long. Binary travels in signals. */
export function checkLoggable(data: unknown): void {
  const waiting: { value: unknown; depth: number }[] = [{ value: data, depth: 0 }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { value, depth } = next;
    if (typeof value !== 'object' || value === null) continue;
    if (depth >= MAX_DEPTH)
      throw new AppError('invalid_payload', `"data": nested deeper than ${MAX_DEPTH} levels`);
    if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) {
      throw new AppError('invalid_payload', '"data": binary cannot be logged, send it with room:signal');
    }
    for (const inner of Object.values(value)) waiting.push({ value: inner, depth: depth + 1 });
  }
  const text = JSON.stringify(data) ?? 'null';
  // Only text that could be too long is measured in bytes.
  if (text.length * 3 > LIMITS.eventBytes && new TextEncoder().encode(text).length > LIMITS.eventBytes) {
    throw new AppError('payload_too_large', `"data": more than ${LIMITS.eventBytes} bytes of JSON`);
  }
}
