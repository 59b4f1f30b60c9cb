import { randomUUID } from 'node:crypto';
import { eventually } from '@fanfare/testing';
import type { Locator } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { range } from '../sdk/session.ts';
import { type BoardWorld, type Person, startBoardWorld } from './people.ts';

let world: BoardWorld;
let ada: Person;
let grace: Person;
let linus: Person;

beforeAll(async () => {
  world = await startBoardWorld();
  ada = await world.enter('ada');
  grace = await world.enter('grace', { colorScheme: 'dark' });
  // What is news to him must not hang on his clock.
  linus = await world.enter('linus', { clockAhead: true });
  expect(grace.node.id).not.toBe(ada.node.id);
});
afterAll(() => world[Symbol.asyncDispose]());

const card = ({ page }: Person, column: string, title: string) =>
  page
    .getByRole('region', { name: column, exact: true })
    .getByRole('button', { name: new RegExp(`^${title}`) });

/** The private messages of a person with another one. */
const open = async ({ page }: Person, other: string) => {
  await page.getByRole('button', { name: 'People' }).click();
  await page.getByRole('button', { name: `Write to ${other} privately` }).click();
};

test('a task that one creates, drags and moves by key is where it is for the other (rows 6, 7, 9)', async () => {
  await ada.page.getByRole('textbox', { name: 'New task in To do' }).fill('Polish the trumpet');
  await ada.page.keyboard.press('Enter');
  await card(grace, 'To do', 'Polish the trumpet').waitFor();

  await card(ada, 'To do', 'Polish the trumpet').dragTo(ada.page.getByRole('region', { name: 'Doing' }));
  await card(grace, 'Doing', 'Polish the trumpet').waitFor();

  // The second of two quick moves waits for the answer to the first, and is where it stays.
  const answer = Promise.withResolvers<void>();
  const asked: string[] = [];
  await grace.page.route('**/move', async (route) => {
    asked.push(route.request().url());
    await answer.promise;
    await route.continue();
  });
  await card(grace, 'Doing', 'Polish the trumpet').focus();
  for (const column of ['Review', 'Done']) {
    await grace.page.keyboard.press('Shift+ArrowRight');
    await card(grace, column, 'Polish the trumpet').waitFor();
  }
  expect(asked).toHaveLength(1);
  answer.resolve();
  await card(ada, 'Done', 'Polish the trumpet').waitFor();
  await grace.page.unroute('**/move');
  await grace.page.keyboard.press('Shift+ArrowLeft');
  await card(ada, 'Review', 'Polish the trumpet').waitFor();
  // The card is another element now, and still the one that keys act on.
  await eventually(async () =>
    expect(await grace.page.evaluate('document.activeElement.ariaLabel')).toMatch(/^Polish the trumpet/),
  );
});

test('what is typed in a task stays when it is assigned, and when it is selected past the edge', async () => {
  await card(ada, 'Review', 'Polish the trumpet').click();
  const dialog = ada.page.getByRole('dialog');
  const description = dialog.getByRole('textbox', { name: 'Description' });
  await description.fill('With the soft cloth');
  await dialog.getByRole('combobox', { name: 'Who has it' }).selectOption('grace');
  await card(grace, 'Review', 'Polish the trumpet, grace has it').waitFor();

  const [inside, window] = [await description.boundingBox(), await dialog.boundingBox()];
  await ada.page.mouse.move((inside?.x ?? 0) + 60, (inside?.y ?? 0) + 12);
  await ada.page.mouse.down();
  await ada.page.mouse.move((window?.x ?? 0) - 40, (inside?.y ?? 0) + 12, { steps: 3 });
  await ada.page.mouse.up();
  expect(await description.inputValue()).toBe('With the soft cloth');
  await dialog.getByRole('button', { name: 'Close' }).click();
});

test('a draft and a message that was refused are there when one comes back to the chat', async () => {
  const refused = { error: { code: 'invalid', message: 'Not now' } };
  const messages = '**/board/api/projects/*/messages';
  await ada.page.route(messages, (route) => route.fulfill({ status: 400, json: refused }));
  await ada.say('Refused at first');
  const message = ada.page.locator('.message', { hasText: 'Refused at first' });
  await message.getByRole('alert').waitFor();
  await ada.page.unroute(messages);
  const box = ada.page.getByRole('textbox', { name: 'Message to everybody' });
  await box.fill('Half a');
  await ada.page.getByRole('button', { name: 'People' }).click();
  await ada.page.getByRole('button', { name: 'Chat' }).click();
  expect(await box.inputValue()).toBe('Half a');
  await message.getByRole('button', { name: 'Send again' }).click();
  await message.locator('.sent').waitFor();
  await box.fill('');
});

test('a comment stands in the open task of the other, and the status of the project changes (row 9)', async () => {
  await card(ada, 'Review', 'Polish the trumpet').click();
  await card(grace, 'Review', 'Polish the trumpet').click();
  await ada.page.getByRole('textbox', { name: 'Your comment' }).fill('With the soft cloth');
  await ada.page.keyboard.press('Enter');
  await grace.page.getByRole('dialog').getByText('With the soft cloth').waitFor();
  for (const { page } of [ada, grace]) await page.getByRole('button', { name: 'Close' }).click();

  await ada.page.getByRole('combobox', { name: 'Status of the project' }).selectOption('done');
  await eventually(async () =>
    expect(await grace.page.getByRole('combobox', { name: 'Status of the project' }).inputValue()).toBe(
      'done',
    ),
  );
});

test('a message with markup is text, sent for its author and there for the other (row 30)', async () => {
  await ada.say('<img src=x onerror="document.title=1"> & <b>bold</b>');
  const text = '<img src=x onerror="document.title=1"> & <b>bold</b>';
  await eventually(async () => expect((await grace.messages()).at(-1)).toBe(text));
  await ada.page.locator('.message.own').last().getByText('sent').waitFor();
  expect(await grace.page.locator('.message img').count()).toBe(0);
  expect(await grace.page.title()).toBe('Fanfare Board');
});

test('that one writes is told to the other alone, and ends when they stop (row 29)', async () => {
  await ada.page.getByRole('textbox', { name: 'Message to everybody' }).pressSequentially('Hm');
  const line = ({ page }: Person) => page.getByText('ada is writing …');
  await line(grace).waitFor();
  const startedAt = performance.now();
  expect(await line(ada).count()).toBe(0);
  await line(grace).waitFor({ state: 'detached' });
  expect(performance.now() - startedAt).toBeLessThan(3500);
  await ada.page.getByRole('textbox', { name: 'Message to everybody' }).fill('');
});

test('a hug is heard once by all tabs of both and by nobody else, in StrictMode too (rows 31, 36)', async () => {
  await using otherTab = await world.enter('grace');
  await ada.page.getByRole('button', { name: 'People' }).click();
  await ada.page.getByRole('button', { name: 'Hug grace' }).click();
  const hug = ({ page }: Person) => page.locator('.toast', { hasText: 'ada hugs you!' });
  await Promise.all([grace, otherTab].map((person) => hug(person).waitFor()));
  for (const person of [grace, otherTab]) expect(await hug(person).count()).toBe(1);
  expect(await linus.page.locator('.toast').count()).toBe(0);
});

test('a private message is heard by all tabs of both, and by nobody else (row 36)', async () => {
  await using adasOther = await world.enter('ada');
  await using gracesOther = await world.enter('grace');
  const log = ({ page }: Person) => page.getByRole('log', { name: /^Private messages with/ });
  const write = async ({ page }: Person, text: string) => {
    await page.getByRole('textbox', { name: /^Private message to/ }).fill(text);
    await page.keyboard.press('Enter');
  };
  const told = ({ page }: Person, text: string) => page.locator('.toast', { hasText: text });
  for (const person of [ada, adasOther]) await open(person, 'grace');
  await write(ada, 'Between us');
  await Promise.all([
    ...[ada, adasOther].map((person) => log(person).getByText('Between us').waitFor()),
    ...[grace, gracesOther].map((person) => told(person, 'ada: Between us').waitFor()),
  ]);
  await open(gracesOther, 'ada');
  await log(gracesOther).getByText('Between us').waitFor();
  await write(gracesOther, 'And nobody else');
  await Promise.all([
    ...[ada, adasOther, gracesOther].map((person) => log(person).getByText('And nobody else').waitFor()),
    ...[ada, adasOther].map((person) => told(person, 'grace: And nobody else').waitFor()),
  ]);
  for (const person of [ada, adasOther, gracesOther]) {
    expect(await log(person).getByRole('paragraph').allTextContents()).toEqual([
      'Between us',
      'And nobody else',
    ]);
  }
  await ada.page.getByRole('button', { name: 'Close' }).click();
  await ada.page.getByRole('button', { name: 'Chat' }).click();

  // What came to him later is there, and nothing of what they said.
  await ada.say('@linus look at the plan');
  await told(linus, 'ada mentioned you').waitFor();
  await linus.page.getByLabel(/^Notifications/).click();
  expect(await linus.page.locator('.inbox li').count()).toBe(1);
  await linus.page.getByLabel(/^Notifications/).click();
});

test('a role that is given takes effect on the open page, of the sockets too', async () => {
  const box = linus.page.getByRole('textbox', { name: 'Message to everybody' });
  const give = (role: string) => ada.page.getByRole('combobox', { name: 'Role of linus' }).selectOption(role);
  await ada.page.getByRole('button', { name: 'People' }).click();
  await give('member');
  await linus.page.locator('.toast', { hasText: 'ada made you a member in Launch day' }).waitFor();
  await linus.page.getByText('Live', { exact: true }).first().waitFor();
  // Signals need the right of a socket, which comes with another token.
  await box.pressSequentially('Now');
  await grace.page.getByText('linus is writing …').waitFor();
  await linus.say('Now I may write');
  await eventually(async () => expect((await grace.messages()).at(-1)).toBe('Now I may write'));

  await give('viewer');
  await linus.page.getByText('You may look, but not write here.').waitFor();
  expect(await box.count()).toBe(0);
  await ada.page.getByRole('button', { name: 'Chat' }).click();
});

test('who is given a task is told in all tabs, and later when away (row 37)', async () => {
  await card(ada, 'To do', 'Draw the seating plan').click();
  await ada.page.getByRole('combobox', { name: 'Who has it' }).selectOption('grace');
  await grace.page.locator('.toast', { hasText: 'ada gave you' }).waitFor();
  await ada.page.getByRole('button', { name: 'Close' }).click();
  await using later = await world.enter('grace');
  await later.page.getByLabel(/^Notifications/).click();
  await later.page.locator('.inbox').getByText('ada gave you “Draw the seating plan').waitFor();
  await ada.page.getByRole('button', { name: 'Chat' }).click();
});

test('who is mentioned or given a task while away finds both when back, once seen no longer new (row 37)', async () => {
  const bell = linus.page.getByLabel(/^Notifications/);
  const address = linus.page.url();
  await bell.click();
  await bell.click();
  await linus.page.goto('about:blank');
  await ada.say('@linus, are you there?');
  await card(ada, 'To do', 'Draw the seating plan').click();
  await ada.page.getByRole('combobox', { name: 'Who has it' }).selectOption('linus');
  await ada.page.getByRole('button', { name: 'Close' }).click();
  await card(grace, 'To do', 'Draw the seating plan.*, linus has it').waitFor();

  await linus.page.goto(address);
  await eventually(async () => expect(await bell.getAttribute('aria-label')).toBe('Notifications, 2 new'));
  expect(await linus.page.locator('.toast').count()).toBe(0);
  await bell.click();
  expect((await linus.page.locator('.inbox .words').allTextContents()).slice(0, 2)).toEqual([
    'ada gave you “Draw the seating plan for the launch dinner” in Launch day',
    'ada mentioned you in Launch day: @linus, are you there?',
  ]);
  await bell.click();
  await eventually(async () => expect(await bell.getAttribute('aria-label')).toBe('Notifications'));
});

test('older messages come when one scrolls up, and what was in sight stays there', async () => {
  const project = new URL(ada.page.url()).pathname.split('/').at(-1);
  const messages = new URL(`/board/api/projects/${project}/messages`, ada.page.url()).href;
  for (const n of range(1, 60)) {
    const sent = await ada.page.request.post(messages, { data: { id: randomUUID(), text: `Line ${n}` } });
    expect(sent.status()).toBe(201);
  }
  await using reader = await world.enter('grace');
  expect(await reader.messages()).toEqual(range(11, 60).map((n) => `Line ${n}`));
  const first = reader.page.locator('.message', { hasText: /Line 11$/ });
  const scrollUp = async () => {
    await reader.page.getByRole('log', { name: 'Messages' }).hover();
    await reader.page.mouse.wheel(0, -20_000);
  };
  await scrollUp();
  await eventually(async () => expect((await reader.messages()).length).toBeGreaterThan(50));
  await eventually(async () => expect((await first.boundingBox())?.y).toBeGreaterThan(0));
  expect(await first.isVisible()).toBe(true);
  const shown = await first.boundingBox();
  const list = await reader.page.getByRole('log', { name: 'Messages' }).boundingBox();
  expect((shown?.y ?? Number.NaN) - (list?.y ?? Number.NaN)).toBeLessThan(100);
  await scrollUp();
  await reader.page.getByText('Good morning! The band is booked').waitFor();
});

test('a message that cannot be stored is shown as failed, and sent once by its button (row 28)', async () => {
  const { postgres } = await world.stack.board();
  postgres.kill();
  await ada.say('Say it again');
  const message = ada.page.locator('.message', { hasText: 'Say it again' });
  await message.getByText('sending …').waitFor();
  await message.getByRole('alert').waitFor();
  await postgres.restart();
  await message.getByRole('button', { name: 'Send again' }).click();
  await message.locator('.sent').waitFor();
  await eventually(async () => expect((await grace.messages()).at(-1)).toBe('Say it again'));
  expect((await grace.messages()).filter((text) => text === 'Say it again')).toHaveLength(1);
});

test('on a phone nothing is wider than the screen, and a task opens in sight', async () => {
  const phone = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };
  await using hand = await world.enter('grace', phone);
  const width = () => hand.page.evaluate('document.documentElement.scrollWidth');
  const inSight = async (locator: Locator) => {
    const box = await locator.boundingBox();
    expect(box?.x).toBeGreaterThanOrEqual(0);
    expect((box?.x ?? 0) + (box?.width ?? 999)).toBeLessThanOrEqual(390);
  };
  expect(await width()).toBe(390);
  await card(hand, 'To do', 'Write the release notes').click();
  await inSight(hand.page.getByRole('dialog'));
  await hand.page.getByRole('button', { name: 'Close' }).click();
  await hand.page.getByLabel(/^Notifications/).click();
  await inSight(hand.page.locator('.inbox'));
  await hand.page.getByLabel(/^Notifications/).click();
  for (const part of ['Chat', 'People'] as const) {
    await hand.page.getByRole('button', { name: part }).click();
    expect(await width()).toBe(390);
  }
});

test('a dashboard of somebody who may only look counts on by itself (row 33)', async () => {
  expect(await linus.page.getByRole('textbox', { name: 'Message to everybody' }).count()).toBe(0);
  await linus.page.getByRole('link', { name: 'Dashboard' }).click();
  const tasks = linus.page.getByRole('heading', { name: /^Tasks/ });
  const count = async () => Number(/\d+/.exec((await tasks.textContent()) ?? '')?.[0]);
  await tasks.waitFor();
  const before = await count();
  await ada.page.getByRole('textbox', { name: 'New task in Done' }).fill('Count me');
  await ada.page.keyboard.press('Enter');
  await eventually(async () => expect(await count()).toBe(before + 1));
});

test('who is here is shown, and who comes and goes is a line of the chat (row 28)', async () => {
  await ada.page.getByText('3 here').waitFor();
  await linus.page.getByRole('link', { name: 'Fanfare Board' }).click();
  await ada.page.getByText('linus left').waitFor();
  await ada.page.getByText('2 here').waitFor();
  await linus.page.getByRole('link', { name: /Launch day/ }).click();
  await ada.page.getByText('linus joined').waitFor();
});

test('where websockets are refused everything goes over long-polling (row 13)', async () => {
  await using polling = await world.enter('linus', { withoutWebSocket: true });
  await ada.say('Over polling');
  await eventually(async () => expect((await polling.messages()).at(-1)).toBe('Over polling'));
  expect(polling.requested.some((url) => url.includes('transport=polling') && url.includes('sid='))).toBe(
    true,
  );
});

test('twenty messages while the node of the reader is killed are there once, in order, without a reload (row 23)', async () => {
  const loaded = grace.fetched();
  const texts = range(1, 20).map((n) => `Message ${n}`);
  const countOf = async () => (await grace.messages()).filter((text) => text.startsWith('Message '));
  for (const text of texts.slice(0, 5)) await ada.say(text);
  const shown = grace.page
    .getByText(/nothing lost/)
    .first()
    .waitFor();
  grace.node.process.kill('SIGKILL');
  for (const text of texts.slice(5)) await ada.say(text);
  await shown;
  await eventually(async () => expect(await countOf()).toHaveLength(20), { timeoutMs: 20_000 });
  expect(await countOf()).toEqual(texts);
  // Neither the page nor its data was fetched again: what it asked for since is a token, and that it has read on.
  const since = grace.fetched().slice(loaded.length);
  expect(since.filter((url) => !/\/(token|read)$/.test(url))).toEqual([]);
});

test('a removed member is put out of the open page within two seconds, and is in it again when invited', async () => {
  await ada.page.getByRole('button', { name: 'People' }).click();
  await linus.page.getByText('Live', { exact: true }).first().waitFor();
  await ada.page.getByRole('button', { name: 'Remove linus from the project' }).click();
  const startedAt = performance.now();
  await linus.page.getByText('You are no longer in this project').waitFor();
  expect(performance.now() - startedAt).toBeLessThan(2000);

  // At once, so that the first token of the invitation is of the second of the removal.
  await ada.page.getByRole('textbox', { name: 'Name of whom you invite' }).fill('linus');
  await ada.page.keyboard.press('Enter');
  await ada.page.getByRole('button', { name: 'Remove linus from the project' }).waitFor();
  await ada.page.getByRole('button', { name: 'Chat' }).click();
  await ada.say('Welcome back');
  await eventually(async () => expect((await linus.messages()).at(-1)).toBe('Welcome back'));
  await ada.say('Live again');
  await eventually(async () => expect((await linus.messages()).at(-1)).toBe('Live again'));
});

test('what was shown of others was told, not asked for again and again (row 12)', () => {
  const reads = grace.fetched().filter((url) => /\/projects\/[^/]+$/.test(url));
  // One snapshot, which StrictMode asks for twice.
  expect(reads.length).toBeLessThanOrEqual(2);
  expect([...ada.errors, ...grace.errors].filter((line) => !/WebSocket|Failed to load/.test(line))).toEqual(
    [],
  );
});
