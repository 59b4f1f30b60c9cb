import { describe, expect, test } from 'vitest';
import { ask, NEW_SESSION, namesOf, pollOf, RESOLVED_SHAPES, sidOf, startShape } from './nginx-shape.ts';

describe.each(RESOLVED_SHAPES)('a flood of new sessions from one address, in the %s shape', (name) => {
  test('is answered 429, and sessions that there are go on', async () => {
    await using shape = await startShape(name, { perSecond: 1, burst: 20 });
    const flood = await Promise.all(Array.from({ length: 200 }, () => ask(shape, NEW_SESSION)));
    const passed = flood.filter(({ status }) => status === 200);
    expect(passed.length).toBeGreaterThanOrEqual(21);
    // One more for each second that it took.
    expect(passed.length).toBeLessThan(30);
    expect(flood.filter(({ status }) => status === 429)).toHaveLength(200 - passed.length);
    for (const node of namesOf(shape)) {
      const polls = Array.from({ length: 30 }, () => ask(shape, pollOf(sidOf(node))));
      expect((await Promise.all(polls)).every(({ status, body }) => status === 200 && body === node)).toBe(
        true,
      );
    }
  });

  test('counts whatever is a new session to a gateway', async () => {
    await using shape = await startShape(name, { perSecond: 1, burst: 1 });
    const [node = ''] = namesOf(shape);
    const sid = sidOf(node);
    const passed: string[] = [];
    for (const query of NO_SESSION) {
      const url = `/socket.io/?EIO=4&transport=polling&${query.replaceAll('<sid>', sid)}`;
      const flood = await Promise.all(Array.from({ length: 20 }, () => ask(shape, url)));
      if (flood.every(({ status }) => status === 200)) passed.push(query);
    }
    expect(passed).toEqual([]);
  });
});

/** Queries that name no session, as Engine.IO reads them; `<sid>` is one that there could be. */
const NO_SESSION = [
  'SID=<sid>',
  'Sid=<sid>',
  's%49d=<sid>',
  'xsid=<sid>',
  'sid',
  'sid=',
  'sid=&',
  'sid=<sid>&sid',
  'sid=<sid>&sid=',
  'sid=<sid>&s%69d=',
  'sid=<sid>&%73%69%64&t=1',
  't=sid=<sid>',
  '&=sid&?sid=<sid>#&sid=<sid>',
];
