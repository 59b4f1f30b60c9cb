import { expect, test } from 'vitest';
import { createCredentials } from './credentials.ts';
import { apiEnv, gatewayEnv, namespacesOf } from './settings.ts';

const shared = (env: Record<string, string>) => ({
  env,
  redisUrl: 'redis://127.0.0.1:1',
  credentials: createCredentials(['/']),
});

test('gateways get the settings of the launcher, but never its secrets or Redis', () => {
  const given = shared({
    FANFARE_HANDLERS: './handlers.js',
    FANFARE_CONSOLE: 'false',
    FANFARE_TOKEN_SECRET: 'of the shell',
    REDIS_URL: 'redis://elsewhere',
  });
  expect(gatewayEnv(given, 2)).toMatchObject({
    FANFARE_HANDLERS: './handlers.js',
    FANFARE_CONSOLE: 'false',
    FANFARE_WORKERS: '2',
    FANFARE_TOKEN_SECRET: given.credentials.tokenSecret,
    REDIS_URL: 'redis://127.0.0.1:1',
  });
});

test('the api gets only the settings that mean the same to it', () => {
  const same = { FANFARE_NAMESPACES: '/,/chat', FANFARE_RETENTION: '**=10/1mb/1h' };
  const env = apiEnv(shared({ FANFARE_HANDLERS: './handlers.js', ...same }), {});
  expect(env).toMatchObject({ ...same, FANFARE_HANDLERS: undefined });
});

test.each([
  [undefined, 'info'],
  ['debug', 'debug'],
  ['silent', 'info'],
  ['loud', 'loud'],
])('LOG_LEVEL %s starts the processes at %s, as the launcher has to read "listening"', (given, level) => {
  const env = shared(given === undefined ? {} : { LOG_LEVEL: given });
  expect(gatewayEnv(env, 1).LOG_LEVEL).toBe(level);
  expect(apiEnv(env, {}).LOG_LEVEL).toBe(level);
});

test('the namespaces are those of the gateways', () => {
  expect(namespacesOf({})).toEqual(['/']);
  expect(namespacesOf({ FANFARE_NAMESPACES: ' /, /chat ,' })).toEqual(['/', '/chat']);
});
