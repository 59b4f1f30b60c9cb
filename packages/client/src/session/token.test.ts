import { SignJWT } from 'jose';
import { expect, it } from 'vitest';
import { expiryOf, refreshDelay, TokenSource } from './token.ts';

const KEY = new TextEncoder().encode('a-secret-of-the-tests-long-enough-for-HS256');

const tokenFor = (lifeMs: number, claims: Record<string, unknown> = {}): Promise<string> =>
  new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime(Math.round((Date.now() + lifeMs) / 1000))
    .sign(KEY);

const openPromise = () => {
  let resolve = (_: string) => {};
  const promise = new Promise<string>((settle) => {
    resolve = settle;
  });
  return { promise, resolve: (value: string) => resolve(value) };
};

it('reads when a token expires, whatever else is in it', async () => {
  const token = await tokenFor(60_000, { sub: 'Jürgen 🎺 ÿþ', info: { text: '>>>???~~~' } });
  expect((expiryOf(token) ?? 0) / 1000).toBeCloseTo((Date.now() + 60_000) / 1000, -1);
});

it.each(['', 'no token', 'a.b.c', `a.${btoa('{"exp":"soon"}')}.c`, `a.${btoa('null')}.c`])(
  'makes nothing of %j',
  (token) => {
    expect(expiryOf(token)).toBeUndefined();
    expect(refreshDelay(token)).toBeUndefined();
  },
);

it('is fetched anew in the last quarter of its life, not everywhere at once', async () => {
  const token = await tokenFor(1_000_000);
  const delays = Array.from({ length: 50 }, () => refreshDelay(token) ?? 0);
  expect(Math.min(...delays)).toBeGreaterThan(740_000);
  expect(Math.max(...delays)).toBeLessThan(910_000);
  expect(new Set(delays).size).toBeGreaterThan(40);
});

it('is left to the gateway where the clock says that it has expired already', async () => {
  expect(refreshDelay(await tokenFor(-60_000))).toBeUndefined();
});

it('never asks for more than a timer can do', async () => {
  expect(refreshDelay(await tokenFor(365 * 86_400_000))).toBe(2 ** 31 - 1);
});

it('is kept while it is good, and fetched once for all who ask together', async () => {
  let asked = 0;
  const source = new TokenSource(() => {
    asked += 1;
    return tokenFor(asked === 1 ? 60_000 : 1000);
  });
  const [a, b] = await Promise.all([source.get(), source.get()]);
  expect(a).toBe(b);
  expect(await source.get()).toBe(a);
  expect(asked).toBe(1);

  source.forget();
  const next = await source.get();
  expect(next).not.toBe(a);
  // What has a second to live could expire on its way.
  await source.get();
  expect(asked).toBe(3);
});

it('is asked for again after the provider failed', async () => {
  const answers = [() => Promise.reject(new Error('offline')), () => 'second'];
  const source = new TokenSource(async () => answers.shift()?.() ?? '');
  await expect(source.get()).rejects.toThrow('offline');
  expect(await source.get()).toBe('second');
});

it('of an earlier session is not kept, nor one that was still being fetched', async () => {
  const late = openPromise();
  const answers = [() => 'of alice', () => late.promise, () => 'of bob'];
  const source = new TokenSource(() => answers.shift()?.() ?? 'nobody');
  await source.get();
  const fetched = source.renew();
  source.reset();
  expect(await source.get()).toBe('of bob');
  late.resolve('of alice again');
  await fetched;
  expect(await source.get()).toBe('of bob');
});

it('is asked for again when the provider hangs, and used when it comes late after all', async () => {
  const late = openPromise();
  const answers = [() => late.promise, () => new Promise<string>(() => undefined)];
  const source = new TokenSource(() => answers.shift()?.() ?? 'too many', 20);
  await expect(source.get()).rejects.toThrow('No token within 20 ms');
  await expect(source.get()).rejects.toThrow('No token within 20 ms');
  late.resolve('first');
  await late.promise;
  expect(await source.get()).toBe('first');
});

it('is not replaced by that of an earlier call which took too long', async () => {
  const calls = [openPromise(), openPromise()];
  let asked = 0;
  const source = new TokenSource(() => calls[asked++]?.promise ?? '', 20);
  await expect(source.get()).rejects.toThrow('No token');
  const newer = source.get();
  calls[1]?.resolve('newer');
  await newer;
  calls[0]?.resolve('older');
  await calls[0]?.promise;
  expect(source.current).toBe('newer');
});
