import { findBinary } from '@fanfare/testing';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const CHROMIUM = {
  names: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'],
  variable: 'CHROMIUM',
  install:
    'install it with "apt-get install -y chromium" (Debian) or "brew install --cask chromium" (macOS), or set CHROMIUM to its path',
} as const;

/** The sandbox needs rights that a container does not give; the rest keeps the browser from calling home. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** A page, and what happened in it that no user would see. */
export interface WatchedPage extends AsyncDisposable {
  readonly page: Page;
  /** Every address that the page asked for, websockets too. */
  readonly requested: string[];
  /** Errors of its scripts and whatever its security policy blocked. */
  readonly errors: string[];
}

export interface RealBrowser extends AsyncDisposable {
  open(url: string, options?: BrowserContextOptions): Promise<WatchedPage>;
}

/** The machine's own Chromium without a window. */
export async function startBrowser(): Promise<RealBrowser> {
  const browser: Browser = await chromium.launch({
    executablePath: await findBinary(CHROMIUM),
    args: FLAGS,
  });
  return {
    open: async (url, options = {}) => {
      const context = await browser.newContext(options);
      const page = await context.newPage();
      const requested: string[] = [];
      const errors: string[] = [];
      page.on('request', (request) => requested.push(request.url()));
      page.on('websocket', (socket) => requested.push(socket.url()));
      page.on('pageerror', (error) => errors.push(error.message));
      page.on('console', (line) => {
        if (line.type() === 'error') errors.push(line.text());
      });
      await page.goto(url);
      return { page, requested, errors, [Symbol.asyncDispose]: () => context.close() };
    },
    [Symbol.asyncDispose]: () => browser.close(),
  };
}
