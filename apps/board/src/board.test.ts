import { randomUUID } from 'node:crypto';
import { eventually } from '@fanfare/testing';
import { decodeJwt } from 'jose';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { startBoard, type TestBoard, type Visitor } from '../test/start-board.ts';

// A PostgreSQL starts and a page is built, on a machine that may be busy.
vi.setConfig({ hookTimeout: 60_000, testTimeout: 30_000 });

let board: TestBoard;
let database: Client;

beforeAll(async () => {
  board = await startBoard();
  database = new Client(board.postgres.url);
  await database.connect();
});
afterAll(async () => {
  await database.end().catch(() => undefined);
  await board[Symbol.asyncDispose]();
});

const withId = z.object({ id: z.string() });
const snapshot = z.object({
  columns: z.array(withId),
  tasks: z.array(z.object({ id: z.string(), title: z.string(), columnId: z.string(), version: z.int() })),
  messages: z.array(z.object({ id: z.string(), text: z.string() })),
  members: z.array(z.object({ id: z.string(), role: z.string() })),
  unreadBefore: z.int(),
  position: z.null(),
});

const newProject = async (owner: Visitor): Promise<string> =>
  withId.parse((await owner.ask('POST', '/projects', { name: 'Launch' })).body).id;
const read = async (visitor: Visitor, projectId: string) =>
  snapshot.parse((await visitor.ask('GET', `/projects/${projectId}`)).body);

/** A project, its first column and a task in it. */
const newTask = async (owner: Visitor, title = 'Sweep') => {
  const projectId = await newProject(owner);
  const columnId = (await read(owner, projectId)).columns[0]?.id ?? '';
  const { body } = await owner.ask('POST', `/projects/${projectId}/tasks`, { columnId, title });
  return { projectId, columnId, taskId: withId.parse(body).id };
};

/** What waits in the outbox for a project's room or a user's inbox. */
const told = async (to: { project: string } | { user: string }): Promise<string[]> => {
  const [column, value] = 'project' in to ? ['room', `project:${to.project}`] : ['recipient', to.user];
  const { rows } = await database.query(`select event from fanfare.outbox where ${column} = $1 order by id`, [
    value,
  ]);
  return rows.map(({ event }) => String(event));
};

test('signing up, out and in again works over HTTP alone, and gives a token for sockets (row 10)', async () => {
  const ada = await board.signUp('ada');
  expect((await ada.ask('GET', '/me')).body).toMatchObject({ user: { id: ada.id, name: 'ada' } });
  const projectId = await newProject(ada);
  const { token } = z.object({ token: z.string() }).parse((await ada.ask('POST', '/token')).body);
  expect(decodeJwt(token)).toMatchObject({
    sub: ada.id,
    rooms: { [`project:${projectId}`]: ['join', 'presence', 'signal'] },
  });

  expect((await ada.ask('DELETE', '/session')).status).toBe(204);
  expect((await ada.ask('POST', '/token')).status).toBe(401);
  const wrong = await ada.ask('POST', '/session', { name: 'ada', password: 'wrong' });
  expect(wrong).toMatchObject({ status: 401, body: { error: { code: 'wrong_password' } } });
  expect((await ada.ask('POST', '/session', { name: 'Ada', password: 'long enough' })).status).toBe(201);
  expect((await read(ada, projectId)).columns).toHaveLength(3);
});

test('the session is a cookie that scripts cannot read, and that the database cannot give away', async () => {
  const visitor = await board.signUp('cookie');
  const { status, body } = await visitor.ask('POST', '/session', { name: 'cookie', password: 'long enough' });
  expect(status).toBe(201);
  expect(JSON.stringify(body)).not.toContain('password');
  const second = board.visitor();
  await second.ask('POST', '/session', { name: 'cookie', password: 'long enough' });
  expect(second.cookie).toMatch(/^board_session=[\w-]{43}; .*Path=\/board; .*HttpOnly; SameSite=Lax$/);
  const id = /=([\w-]{43});/.exec(second.cookie ?? '')?.[1];
  const { rows } = await database.query('select id_hash from sessions where id_hash = $1', [id]);
  expect(rows).toEqual([]);
});

test('the eleventh try of a password is not looked at', async () => {
  await board.signUp('guessed');
  const statuses = [];
  for (let i = 0; i < 11; i += 1) {
    const tried = await board.visitor().ask('POST', '/session', { name: 'guessed', password: `${i}` });
    statuses.push(tried.status);
  }
  expect(statuses.slice(0, 9).every((status) => status === 401)).toBe(true);
  expect(statuses.at(-1)).toBe(429);
});

test.each([
  { origin: 'https://evil.example' },
  { 'sec-fetch-site': 'same-site' },
  { 'sec-fetch-site': 'cross-site' },
])('a change that another site asks for is refused: %j', async (headers) => {
  const { status, body } = await board
    .visitor()
    .ask('POST', '/session', { name: 'x', password: 'y' }, headers);
  expect({ status, body }).toMatchObject({ status: 403, body: { error: { code: 'foreign_origin' } } });
});

test('a change whose transaction fails, even at its commit, is an error without row or event (rows 7, 8)', async () => {
  const owner = await board.signUp('failing');
  const { projectId, columnId, taskId } = await newTask(owner);
  expect(await told({ project: projectId })).toEqual(['task:created']);
  await database.query(`
    create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;
    create constraint trigger refuse_tasks after insert or update on tasks
      deferrable initially deferred for each row execute function refuse();
    create trigger refuse_messages before insert on messages for each row execute function refuse();`);
  try {
    const created = await owner.ask('POST', `/projects/${projectId}/tasks`, { columnId, title: 'Lost' });
    expect(created).toMatchObject({ status: 500, body: { error: { code: 'internal' } } });
    const moved = await owner.ask('POST', `/tasks/${taskId}/move`, { columnId, beforeId: null });
    expect(moved.status).toBe(500);
    const sent = await owner.ask('POST', `/projects/${projectId}/messages`, {
      id: randomUUID(),
      text: 'Lost',
    });
    expect(sent.status).toBe(500);
    expect(await told({ project: projectId })).toEqual(['task:created']);
    expect((await read(owner, projectId)).tasks).toMatchObject([{ title: 'Sweep', version: 1 }]);
  } finally {
    await database.query(
      'drop trigger refuse_tasks on tasks; drop trigger refuse_messages on messages; drop function refuse',
    );
  }
});

test('every change of a project has its route and its event, in the order of the changes (row 9)', async () => {
  const owner = await board.signUp('owner');
  const mate = await board.signUp('mate');
  const { projectId, taskId } = await newTask(owner);
  const columnId = (await read(owner, projectId)).columns[1]?.id ?? '';
  const changes = [
    ['POST', `/projects/${projectId}/members`, { name: 'mate', role: 'member' }],
    ['PUT', `/tasks/${taskId}/assignee`, { userId: mate.id }],
    ['POST', `/tasks/${taskId}/comments`, { text: 'Look, @mate' }],
    ['POST', `/tasks/${taskId}/move`, { columnId, beforeId: null }],
    ['PATCH', `/tasks/${taskId}`, { title: 'Sweep well', description: '', version: 4 }],
    ['PATCH', `/projects/${projectId}`, { name: 'Launch', status: 'done' }],
    ['POST', `/projects/${projectId}/messages`, { id: randomUUID(), text: 'Done, @mate' }],
    ['DELETE', `/tasks/${taskId}`, undefined],
    ['DELETE', `/projects/${projectId}/members/${mate.id}`, undefined],
  ] as const;
  for (const [method, path, body] of changes) {
    const { status } = await owner.ask(method, path, body);
    expect([path, status < 300]).toEqual([path, true]);
  }
  expect(await told({ project: projectId })).toEqual([
    'task:created',
    'member:added',
    'task:assigned',
    'comment:added',
    'task:updated',
    'task:moved',
    'task:updated',
    'project:updated',
    'message:sent',
    'task:deleted',
    'member:removed',
  ]);
  expect(await told({ user: mate.id })).toEqual(['notified', 'notified', 'notified', 'notified']);
});

test('who only looks may not change, and who is not in a project does not find it', async () => {
  const owner = await board.signUp('host');
  const viewer = await board.signUp('viewer');
  const stranger = await board.signUp('stranger');
  const { projectId, columnId, taskId } = await newTask(owner);
  await owner.ask('POST', `/projects/${projectId}/members`, { name: 'viewer', role: 'viewer' });
  expect((await read(viewer, projectId)).tasks).toHaveLength(1);
  expect((await viewer.ask('GET', `/projects/${projectId}/dashboard`)).status).toBe(200);

  const changes = [
    ['POST', `/projects/${projectId}/tasks`, { columnId, title: 'No' }],
    ['POST', `/tasks/${taskId}/move`, { columnId, beforeId: null }],
    ['POST', `/projects/${projectId}/messages`, { id: randomUUID(), text: 'No' }],
    ['DELETE', `/projects/${projectId}/members/${owner.id}`, undefined],
  ] as const;
  for (const [method, path, body] of changes) {
    expect((await viewer.ask(method, path, body)).status).toBe(403);
    expect((await stranger.ask(method, path, body)).status).toBe(404);
    expect((await board.visitor().ask(method, path, body)).status).toBe(401);
  }
  for (const path of [
    `/projects/${projectId}`,
    `/tasks/${taskId}/comments`,
    `/people/${owner.id}/messages`,
  ]) {
    expect((await stranger.ask('GET', path)).status).toBe(404);
  }
});

test('who is given another role is told so once, and another invitation changes nothing', async () => {
  const owner = await board.signUp('giver');
  const mate = await board.signUp('given');
  const projectId = await newProject(owner);
  const give = (role: string) => owner.ask('POST', `/projects/${projectId}/members`, { name: 'given', role });
  for (const role of ['viewer', 'member', 'member']) expect((await give(role)).status).toBe(201);
  expect(await told({ project: projectId })).toEqual(['member:added', 'member:added']);
  const { rows } = await database.query(
    "select data->>'kind' as kind, data->>'text' as text from fanfare.outbox where recipient = $1 order by id",
    [mate.id],
  );
  expect(rows).toEqual([
    { kind: 'invited', text: 'Launch' },
    { kind: 'role', text: 'member' },
  ]);
  expect((await read(mate, projectId)).members.find(({ id }) => id === mate.id)?.role).toBe('member');
});

test('an order that the cluster refuses holds up no other one, and is given again', async () => {
  const owner = await board.signUp('remover');
  const [stuck, gone] = [await board.signUp('stuck'), await board.signUp('gone')];
  const projectId = await newProject(owner);
  for (const name of ['stuck', 'gone'])
    await owner.ask('POST', `/projects/${projectId}/members`, { name, role: 'member' });
  const order = ({ id }: { id: string }) => `DELETE /v1/rooms/project:${projectId}/users/${id}`;
  board.orders.refuse(stuck.id);
  for (const { id } of [stuck, gone]) {
    expect((await owner.ask('DELETE', `/projects/${projectId}/members/${id}`)).status).toBe(204);
  }
  expect(board.orders.taken).toContain(order(gone));
  expect(board.orders.taken).not.toContain(order(stuck));
  board.orders.refuse();
  await eventually(async () => {
    expect(board.orders.taken).toContain(order(stuck));
    expect((await database.query('select id from removals')).rows).toEqual([]);
  });
});

test('who becomes a viewer loses what the tokens of a member allow, and an invitation takes no order back', async () => {
  const owner = await board.signUp('demoter');
  const mate = await board.signUp('demoted');
  const projectId = await newProject(owner);
  const give = (role: string) =>
    owner.ask('POST', `/projects/${projectId}/members`, { name: 'demoted', role });
  const order = `DELETE /v1/rooms/project:${projectId}/users/${mate.id}`;
  await give('member');
  expect(board.orders.taken).not.toContain(order);
  board.orders.refuse(projectId);
  await give('viewer');
  await give('member');
  board.orders.refuse();
  await eventually(() => expect(board.orders.taken).toContain(order));
});

test('signing out ends the tokens of this login, and of no other one', async () => {
  const here = await board.signUp('leaver');
  const there = board.visitor();
  await there.ask('POST', '/session', { name: 'leaver', password: 'long enough' });
  const sidOf = async (visitor: Visitor) => {
    const { token } = z.object({ token: z.string() }).parse((await visitor.ask('POST', '/token')).body);
    return decodeJwt(token).sid;
  };
  const [sid, other] = [await sidOf(here), await sidOf(there)];
  expect(other).not.toBe(sid);
  await here.ask('DELETE', '/session');
  const order = (session: unknown) => `POST /v1/revocations ${JSON.stringify({ session })}`;
  await eventually(() => expect(board.orders.taken).toContain(order(sid)));
  expect(board.orders.taken).not.toContain(order(other));
});

test('a message whose answer was lost is sent again with its id, and is there once', async () => {
  const owner = await board.signUp('again');
  const projectId = await newProject(owner);
  const message = { id: randomUUID(), text: 'Once' };
  const first = await owner.ask('POST', `/projects/${projectId}/messages`, message);
  expect(await owner.ask('POST', `/projects/${projectId}/messages`, message)).toEqual(first);
  expect((await read(owner, projectId)).messages).toMatchObject([{ text: 'Once' }]);
  expect(await told({ project: projectId })).toEqual(['message:sent']);
});

test('a private message whose answer was lost is there once, and the id of another message is refused', async () => {
  const from = await board.signUp('writer');
  const to = await board.signUp('reader');
  const third = await board.signUp('third');
  const projectId = await newProject(from);
  for (const name of ['reader', 'third'])
    await from.ask('POST', `/projects/${projectId}/members`, { name, role: 'member' });
  const message = { id: randomUUID(), text: 'Once' };
  const send = (by: Visitor, { id }: { id: string }, given: object) =>
    by.ask('POST', `/people/${id}/messages`, given);
  const first = await send(from, to, message);
  expect(await send(from, to, { ...message, text: 'Twice' })).toEqual(first);
  for (const refused of [send(from, third, message), send(third, to, message)]) {
    expect(await refused).toMatchObject({ status: 400, body: { error: { code: 'invalid' } } });
  }
  expect((await third.ask('GET', `/people/${to.id}/messages`)).body).toEqual({ messages: [] });
});

test('text that no database can keep is refused wherever it comes in', async () => {
  const owner = await board.signUp('nul');
  const { projectId, columnId, taskId } = await newTask(owner);
  const bad = 'a\0b';
  const requests = [
    ['POST', '/session', { name: bad, password: 'x' }],
    ['POST', '/users', { name: bad, password: 'long enough' }],
    ['POST', '/projects', { name: bad }],
    ['POST', `/projects/${projectId}/columns`, { title: bad }],
    ['POST', `/projects/${projectId}/members`, { name: bad, role: 'member' }],
    ['POST', `/projects/${projectId}/tasks`, { columnId, title: bad }],
    ['POST', `/projects/${projectId}/messages`, { id: randomUUID(), text: bad }],
    ['PATCH', `/tasks/${taskId}`, { title: 'Fine', description: bad, version: 1 }],
    ['POST', `/tasks/${taskId}/comments`, { text: bad }],
  ] as const;
  for (const [method, path, body] of requests) {
    expect([path, await owner.ask(method, path, body)]).toMatchObject([path, { status: 400 }]);
  }
});

test('a project counts the unread messages that it does not show too, as the list of projects does', async () => {
  const owner = await board.signUp('talker');
  const mate = await board.signUp('listener');
  const projectId = await newProject(owner);
  await owner.ask('POST', `/projects/${projectId}/members`, { name: 'listener', role: 'member' });
  const send = (by: Visitor) =>
    by.ask('POST', `/projects/${projectId}/messages`, { id: randomUUID(), text: 'Hi' });
  await send(mate);
  for (let i = 0; i < 53; i += 1) await send(owner);
  expect(await read(mate, projectId)).toMatchObject({ unreadBefore: 3 });
  expect((await mate.ask('GET', '/projects')).body).toMatchObject({ projects: [{ unread: 53 }] });
  expect(await read(owner, projectId)).toMatchObject({ unreadBefore: 1 });
  const { seq } = z
    .object({ messages: z.array(z.object({ seq: z.int() })).min(1) })
    .parse((await mate.ask('GET', `/projects/${projectId}`)).body).messages[0] ?? { seq: 0 };
  await mate.ask('PUT', `/projects/${projectId}/read`, { upTo: seq });
  expect(await read(mate, projectId)).toMatchObject({ unreadBefore: 0 });
});

test('an edit of words that somebody else has changed is refused', async () => {
  const owner = await board.signUp('editor');
  const { taskId } = await newTask(owner);
  const edit = (title: string) =>
    owner.ask('PATCH', `/tasks/${taskId}`, { title, description: '', version: 1 });
  expect((await edit('First')).status).toBe(200);
  expect(await edit('Second')).toMatchObject({ status: 409, body: { error: { code: 'outdated' } } });
});

test('a task goes before the one that it is dropped on, or to the end', async () => {
  const owner = await board.signUp('mover');
  const { projectId, columnId, taskId: first } = await newTask(owner, 'a');
  for (const title of ['b', 'c'])
    await owner.ask('POST', `/projects/${projectId}/tasks`, { columnId, title });
  const titles = async () => (await read(owner, projectId)).tasks.map(({ title }) => title).join('');
  const last = (await read(owner, projectId)).tasks[2]?.id ?? '';
  await owner.ask('POST', `/tasks/${last}/move`, { columnId, beforeId: first });
  expect(await titles()).toBe('cab');
  await owner.ask('POST', `/tasks/${last}/move`, { columnId, beforeId: null });
  expect(await titles()).toBe('abc');
});

test('tasks that change places seventy times stay in the order of the moves, which all are told', async () => {
  const owner = await board.signUp('shuffler');
  const { projectId, columnId, taskId } = await newTask(owner, 'a');
  const order = [taskId];
  for (const title of ['b', 'c']) {
    const { body } = await owner.ask('POST', `/projects/${projectId}/tasks`, { columnId, title });
    order.push(withId.parse(body).id);
  }
  for (let i = 0; i < 70; i += 1) {
    const last = order.pop() ?? '';
    await owner.ask('POST', `/tasks/${last}/move`, { columnId, beforeId: order[1] });
    order.splice(1, 0, last);
    if (i < 50) continue;
    expect((await read(owner, projectId)).tasks.map(({ id }) => id)).toEqual(order);
  }
  const { tasks } = await read(owner, projectId);
  const changes = tasks.reduce((sum, { version }) => sum + version - 1, 0);
  const moves = (await told({ project: projectId })).filter((event) => event === 'task:moved');
  expect(moves).toHaveLength(changes);
  expect(changes).toBeGreaterThan(70);
});

test('the page is built for production, whatever environment builds it', async () => {
  const html = await (await fetch(`${board.url}/board/p/anything`)).text();
  const [, script = ''] = /src="(\/board\/assets\/[^"]+\.js)"/.exec(html) ?? [];
  const answer = await fetch(board.url + script);
  expect(answer.headers.get('cache-control')).toContain('immutable');
  expect((await answer.text()).includes('jsxDEV')).toBe(false);
});

test('what is no page of ours and no id is not found', async () => {
  const owner = await board.signUp('lost');
  for (const path of ['/nothing', '/projects/42', `/projects/${randomUUID()}`]) {
    expect((await owner.ask('GET', path)).status).toBe(404);
  }
});

// The last one: it takes the database away.
test('without its database it is alive but not ready, says so, and is whole again when it is back (row 34)', async () => {
  const owner = await board.signUp('patient');
  const ready = async () => (await fetch(`${board.url}/readyz`)).status;
  expect(await ready()).toBe(200);
  database.on('error', () => undefined);
  await board.postgres.stop();
  await eventually(async () => expect(await ready()).toBe(503));
  expect((await fetch(`${board.url}/livez`)).status).toBe(200);
  const refused = await owner.ask('POST', '/projects', { name: 'Later' });
  expect(refused).toMatchObject({ status: 503, body: { error: { code: 'unavailable' } } });
  await board.postgres.restart();
  await eventually(async () => expect(await ready()).toBe(200));
  expect((await owner.ask('POST', '/projects', { name: 'Later' })).status).toBe(201);
});
