import { type Attack, portOf } from '../attack.ts';
import { frame, openWebSocket } from '../connection.ts';

const DEPTHS = [1, 100, 104, 105, 1000, 5000, 20_000, 49_000, 100_000, 400_000];
const SHAPES: readonly ((depth: number) => string)[] = [
  (depth) => '['.repeat(depth) + ']'.repeat(depth),
  (depth) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`,
  (depth) => '['.repeat(depth),
];
const ROOM = '"room":"fuzz:1","event":"a:b"';
const PACKETS: readonly ((json: string) => string)[] = [
  (json) => `420["room:join",${json}]`,
  (json) => `420["room:join",{"rooms":${json}}]`,
  (json) => `42["room:leave",${json}]`,
  (json) => `420["room:publish",{${ROOM},"data":${json}}]`,
  (json) => `420["room:signal",{${ROOM},"data":${json}}]`,
  (json) => `420["user:send",{"user":"u","event":"a:b","data":${json}}]`,
  (json) => `420["presence:list",${json}]`,
  (json) => `420["token:refresh",{"token":${json}}]`,
  (json) => `420["unknown:event",${json}]`,
  (json) => `430[${json}]`,
  (json) => `40${json}`,
  (json) => `40{"token":${json}}`,
  (json) => `44${json}`,
  (json) => `451-["a:b",${json},{"_placeholder":true,"num":0}]`,
];

/** Each event and ack with each shape at each depth, on a connection of its own. */
export const nestedJson: Attack = {
  name: 'JSON nested 1 to 400,000 deep on every event and ack',
  run: async (target) => {
    const { scale, stack } = target;
    let sent = 0;
    let unanswered = 0;
    const blow = async (text: string): Promise<void> => {
      using connection = await openWebSocket(portOf(target, sent), stack.token);
      sent += 1;
      await connection.write(frame(text));
      // An answer to this shows that what came before has been dealt with.
      await connection.write(frame('429["room:leave",{"room":"fuzz:1"}]'));
      const answered = connection.hear('439[').catch(() => {
        if (connection.isOpen) unanswered += 1;
      });
      await Promise.race([connection.closed, answered]);
    };
    for (let round = 0; round < scale.nestings; round += 1) {
      for (const depth of DEPTHS) {
        // A shape for each packet by turns: all of them in three rounds.
        const texts = PACKETS.map((packet, i) => packet(SHAPES[(i + round) % SHAPES.length]?.(depth) ?? ''));
        for (let at = 0; at < texts.length; at += 4) await Promise.all(texts.slice(at, at + 4).map(blow));
      }
    }
    return { sent, checks: [{ name: 'packets neither answered nor cut', value: unanswered, exactly: 0 }] };
  },
};
