// What the scenarios do beyond Artillery's own steps. Every wait has an end: an ack or event that never comes would
// keep Artillery running for ever.
import { once } from 'node:events';

const ANSWER_MS = 5_000;
const ROOMS = 10;

const socketOf = (context) => context.sockets[''];

const answered = async (context, event, payload) => {
  const answer = await socketOf(context).timeout(ANSWER_MS).emitWithAck(event, payload);
  if (!answer.ok) throw new Error(`${event}: ${answer.error.code}`);
  return answer.data;
};

/** Remembers every event of the load and times it; goes before the join, so that nothing is missed. */
export async function listen(context, events) {
  context.vars.heard = new Set();
  // The counters stand in the report even when nothing goes wrong.
  for (const name of ['fanfare.lost', 'fanfare.doubled']) events.emit('counter', name, 0);
  socketOf(context).on('load:told', (data) => {
    const key = `${data.user}/${data.seq}`;
    events.emit('counter', 'fanfare.delivered', 1);
    events.emit('histogram', 'fanfare.delivery_ms', Date.now() - Number(data.sentAt));
    if (context.vars.heard.has(key)) events.emit('counter', 'fanfare.doubled', 1);
    context.vars.heard.add(key);
  });
}

/** Joins one of the rooms of the load. */
export async function join(context) {
  context.vars.sent = 0;
  // One session, not the user of the CSV, is who publishes: users may come more than once.
  context.vars.session = socketOf(context).id;
  context.vars.room = `load:${Math.floor(Math.random() * ROOMS)}`;
  await answered(context, 'room:join', { room: context.vars.room });
}

/** Publishes one event to the room of the session. */
export async function publish(context, events) {
  const { room, session } = context.vars;
  const started = performance.now();
  const data = { user: session, seq: ++context.vars.sent, sentAt: Date.now() };
  await answered(context, 'room:publish', { room, event: 'load:told', data });
  events.emit('histogram', 'fanfare.publish_ms', performance.now() - started);
}

/** Stamps what the next HTTP request publishes. */
export async function stamp(context) {
  context.vars.sentAt = Date.now();
}

/** Waits until the session has heard what it published itself; what never comes is counted and fails the session. */
export async function heardAll(context, events) {
  const { heard, sent = 1, session = context.vars.user } = context.vars;
  const missing = () => {
    let count = 0;
    for (let seq = 1; seq <= sent; seq++) if (!heard.has(`${session}/${seq}`)) count++;
    return count;
  };
  const deadline = AbortSignal.timeout(ANSWER_MS);
  while (missing() > 0 && !deadline.aborted) {
    await once(socketOf(context), 'load:told', { signal: deadline }).catch(() => undefined);
  }
  if (missing() === 0) return;
  events.emit('counter', 'fanfare.lost', missing());
  throw new Error('an event was not heard');
}

/** Fails the session unless it has come from polling to a WebSocket. */
export async function upgraded(context, events) {
  const { engine } = socketOf(context).io;
  const deadline = AbortSignal.timeout(ANSWER_MS);
  while (engine.transport.name !== 'websocket' && !deadline.aborted) {
    await once(engine, 'upgrade', { signal: deadline }).catch(() => undefined);
  }
  if (engine.transport.name !== 'websocket') throw new Error('the session was not upgraded');
  events.emit('counter', 'fanfare.upgraded', 1);
}
