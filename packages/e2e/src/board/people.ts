import { type GatewayNode, type Stack, startStack } from '@fanfare/local';
import { eventually } from '@fanfare/testing';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { type RealBrowser, startBrowser, type WatchedPage } from '../pages/browser.ts';

/** A cluster of two nodes with the board, whose page has React check itself, and a browser. */
export interface BoardWorld extends AsyncDisposable {
  readonly stack: Stack;
  /** One of the sample users, on the project that they share; with `node` on which the page's session is. */
  enter(name: string, options?: EnterOptions): Promise<Person>;
}

export interface EnterOptions extends BrowserContextOptions {
  /** Something on the way refuses websockets. */
  withoutWebSocket?: boolean;
  /** The clock of their machine is ten minutes ahead. */
  clockAhead?: boolean;
}

export interface Person extends AsyncDisposable {
  readonly page: Page;
  readonly node: GatewayNode;
  /** Errors of the page. */
  readonly errors: readonly string[];
  readonly requested: readonly string[];
  /** What it has fetched of the board's data. */
  fetched(): string[];
  say(text: string): Promise<void>;
  /** The texts of the messages as they stand there. */
  messages(): Promise<string[]>;
}

/** Every websocket goes to a port where nobody listens. */
const REFUSED = `globalThis.WebSocket = class extends WebSocket {
  constructor() { super('ws://127.0.0.1:9/'); }
};`;

const CLOCK_AHEAD = `{
  const now = Date.now;
  Date.now = () => now() + 600_000;
}`;

/** Told in the first frame of a websocket, or asked for by a poll: behind the `_` is the node. */
const SESSION = /(?:^0\{"sid":"|[?&]sid=)[\w-]{20}_([a-z0-9-]+)/;

/** The node of a page's newest session. */
const watchNode = (page: Page): (() => string | undefined) => {
  let newest: string | undefined;
  const hear = (text: string) => {
    newest = SESSION.exec(text)?.[1] ?? newest;
  };
  page.on('request', (request) => hear(request.url()));
  page.on('websocket', (socket) => socket.on('framereceived', ({ payload }) => hear(payload.toString())));
  return () => newest;
};

const toPerson = (opened: WatchedPage, page: Page, node: GatewayNode): Person => ({
  page,
  node,
  errors: opened.errors,
  requested: opened.requested,
  fetched: () => opened.requested.filter((url) => url.includes('/board/api/')),
  say: async (text) => {
    await page.getByRole('textbox', { name: 'Message to everybody' }).fill(text);
    await page.getByRole('button', { name: 'Send', exact: true }).click();
  },
  messages: () => page.locator('.message .words').allTextContents(),
  [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
});

export const startBoardWorld = async (): Promise<BoardWorld> => {
  await using starting = new AsyncDisposableStack();
  const stack = starting.use(await startStack({ nodes: 2, board: { BOARD_PAGE: 'development' } }));
  const browser: RealBrowser = starting.use(await startBrowser());
  const { url } = await stack.board();

  const enter: BoardWorld['enter'] = async (name, given = {}) => {
    const { withoutWebSocket = false, clockAhead = false, ...options } = given;
    const opened = await browser.open('about:blank', options);
    const { page } = opened;
    page.setDefaultTimeout(15_000);
    const nodeId = watchNode(page);
    if (withoutWebSocket) await page.addInitScript(REFUSED);
    if (clockAhead) await page.addInitScript(CLOCK_AHEAD);
    await page.goto(url);
    await page.getByRole('button', { name: new RegExp(`^${name}`) }).click();
    await page.getByRole('link', { name: /Launch day/ }).click();
    await page.getByText('Live', { exact: true }).first().waitFor();
    const node = await eventually(() => {
      const found = stack.nodes.find(({ id }) => id === nodeId());
      if (found === undefined) throw new Error(`${nodeId()} is no node of this cluster`);
      return found;
    });
    return toPerson(opened, page, node);
  };
  const owned = starting.move();
  return { stack, enter, [Symbol.asyncDispose]: () => owned.disposeAsync() };
};
