import type { Random } from '../../chaos/random.ts';
import { type Attack, portOf, type Target } from '../attack.ts';
import { frame, openWebSocket, type RawConnection } from '../connection.ts';

const LANES = 8;
const BATCH = 40;

const SEEDS = [
  '2',
  '3',
  '3probe',
  '5',
  '6',
  '1',
  '40',
  '40/other,{"token":"x"}',
  '41',
  '41/other,',
  '420["room:join",{"room":"hostile:1","since":{"epoch":"e","offset":1}}]',
  '421["room:join",{"rooms":[{"room":"hostile:1","replay":3},{"room":"hostile:2"}]}]',
  '42["room:leave",{"room":"hostile:1"}]',
  '422["room:publish",{"room":"fuzz:1","event":"a:b","data":{"a":[1,2,{"b":null}]},"id":"x"}]',
  '42["room:signal",{"room":"fuzz:1","event":"a:b","data":"é\\u0000"}]',
  '423["user:send",{"user":"nobody","event":"a:b","data":1}]',
  '424["presence:list",{"room":"hostile:1"}]',
  '425["token:refresh",{"token":"a.b.c"}]',
  '42/other,7["unknown",1]',
  '430[{"ok":true}]',
  '43/other,99999999999[1]',
  '44{"message":"x"}',
  '451-["room:signal",{"room":"fuzz:1","event":"a:b","data":{"_placeholder":true,"num":0}}]',
  '452-9["room:signal",{"_placeholder":true,"num":-1},{"_placeholder":true,"num":1e9}]',
  '461-0[{"_placeholder":true,"num":0}]',
  'bAAECAw==',
] as const;
const PARTS = [
  '"',
  '[',
  ']',
  '{',
  '}',
  ',',
  ':',
  '-',
  '\\',
  '\u0000',
  '\ud800',
  '9'.repeat(30),
  '/',
  '__proto__',
  '\u001e',
  '4',
];

const mutate = (text: string, random: Random): string => {
  const at = random.below(text.length + 1);
  const end = at + random.below(8);
  switch (random.below(7)) {
    case 0:
      return text.slice(0, at);
    case 1:
      return text.slice(0, at) + text.slice(end);
    case 2:
      return text.slice(0, at) + random.pick(PARTS) + text.slice(at);
    case 3:
      return text.slice(0, at) + random.pick(PARTS) + text.slice(end);
    case 4:
      return text.slice(0, at) + random.pick(SEEDS).slice(random.below(6));
    case 5:
      return text.slice(0, end) + text.slice(at);
    default:
      return text.slice(0, at) + String.fromCharCode(random.below(0x1_0000)) + text.slice(at + 1);
  }
};

/** Most are frames as they should be with something wrong in them; one in a hundred is wrong itself. */
const nextFrame = (random: Random): Buffer => {
  let text: string = random.pick(SEEDS);
  for (let times = random.below(4); times > 0; times -= 1) text = mutate(text, random);
  const kind = random.below(400);
  if (kind > 8) return frame(text);
  if (kind > 5) return frame(Buffer.from(text), 0x82);
  const bytes = frame(text, random.below(256));
  if (kind > 3) bytes[1] = random.below(256);
  return bytes;
};

/** Refusals one after the other that say that the node is gone. */
const MOST_REFUSED = 100;

/** Sends through connections that are opened anew whenever they are cut. */
const lane = async (target: Target, run: { turn: number; count: number; random: Random }) => {
  let connection: RawConnection | undefined;
  let connections = 0;
  let refused = 0;
  for (let sent = 0; sent < run.count; ) {
    if (!connection?.isOpen) {
      connections += 1;
      try {
        connection = await openWebSocket(portOf(target, run.turn), target.stack.token);
        refused = 0;
      } catch (error) {
        refused += 1;
        if (refused === MOST_REFUSED) throw error;
        continue;
      }
    }
    const size = Math.min(BATCH, run.count - sent);
    await connection.write(Buffer.concat(Array.from({ length: size }, () => nextFrame(run.random))));
    sent += size;
    // The node's answers, or its end, come before the next batch.
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  connection?.[Symbol.dispose]();
  return connections;
};

export const mutatedFrames: Attack = {
  name: 'mutated Engine.IO and Socket.IO frames',
  run: async (target) => {
    const { scale, random } = target;
    const lanes = Array.from({ length: LANES }, (_, turn) =>
      lane(target, { turn, count: scale.frames / LANES, random }),
    );
    const connections = (await Promise.all(lanes)).reduce((sum, count) => sum + count, 0);
    return { sent: scale.frames, checks: [{ name: 'connections that it took', value: connections }] };
  },
};
