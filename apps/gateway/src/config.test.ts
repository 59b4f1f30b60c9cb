import { inspect } from 'node:util';
import { ConfigError, settingRows } from '@fanfare/runtime';
import { describe, expect, it } from 'vitest';
import { gatewaySettings, loadGatewayConfig } from './config.ts';

const GOOD = { FANFARE_TOKEN_SECRET: 'a-secret-that-is-long-enough-for-HS256', FANFARE_NODE_ID: 'n1' };

const problemsOf = (env: Record<string, string>): readonly string[] => {
  try {
    loadGatewayConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
  }
  return [];
};

describe('the configuration of a gateway', () => {
  it('needs nothing but a secret', () => {
    expect(loadGatewayConfig(GOOD)).toMatchObject({
      http: { host: '0.0.0.0', port: 3000 },
      namespaces: ['/'],
      workers: 1,
      console: false,
      warnings: [],
    });
  });

  it('reports every problem at once', () => {
    const problems = problemsOf({
      FANFARE_PORT: '70000',
      FANFARE_NODE_ID: 'Not_A_Node',
      FANFARE_NAMESPACES: 'chat',
      REDIS_URL: 'localhost:6379',
      FANFARE_CORS_ORIGINS: '*',
      FANFARE_CORS_CREDENTIALS: 'true',
    });
    expect(problems.map((problem) => problem.split(/[: =]/)[0])).toEqual([
      'FANFARE_NODE_ID',
      'FANFARE_PORT',
      'REDIS_URL',
      'FANFARE_NAMESPACES',
      'FANFARE_CORS_ORIGINS',
      'FANFARE_TOKEN_SECRET',
    ]);
  });

  it('refuses * together with credentials (row 26)', () => {
    const problems = problemsOf({ ...GOOD, FANFARE_CORS_ORIGINS: '*', FANFARE_CORS_CREDENTIALS: 'true' });
    expect(problems).toEqual([
      expect.stringContaining('FANFARE_CORS_ORIGINS=* cannot go with FANFARE_CORS_CREDENTIALS=true'),
    ]);
  });

  it.each([
    ['https://app.example.com/', '"https://app.example.com", never "https://app.example.com/"'],
    ['https://app.example.com/page', '"https://app.example.com", never'],
    ['https://App.example.com', '"https://app.example.com", never'],
    ['https://app.example.com:443', '"https://app.example.com", never'],
    ['app.example.com', 'is no origin'],
    ['file:///etc', 'is no origin'],
    ['null', 'is no origin'],
  ])('refuses %s as an origin and says what to write', (item, why) => {
    expect(problemsOf({ ...GOOD, FANFARE_CORS_ORIGINS: `https://good.example,${item}` })).toEqual([
      expect.stringContaining(why),
    ]);
  });

  it.each(['10.0.0.0/33', '10.0.0', 'nginx', '*'])('refuses %s as a proxy', (item) => {
    expect(problemsOf({ ...GOOD, FANFARE_TRUSTED_PROXIES: `loopback,${item}` })).toEqual([
      expect.stringContaining(`"${item}" is no address, no CIDR range`),
    ]);
  });

  it.each(['http://api:3100/base', 'http://api:3100/?x', 'https://api:3100', 'api:3100'])(
    'refuses %s as the address of the api',
    (url) => {
      expect(problemsOf({ ...GOOD, FANFARE_API_URL: url })).toEqual([
        `FANFARE_API_URL: expected a URL without a path, like http://127.0.0.1:3100, got "${url}"`,
      ]);
    },
  );

  it.each([
    ['FANFARE_PAGES', '/no/such/folder', 'expected the path of a folder that exists, got "/no/such/folder"'],
    ['FANFARE_PAGES', import.meta.filename, 'expected the path of a folder that exists'],
    ['FANFARE_HANDLERS', '/no/such/file.js', 'expected the path of a file that exists'],
    ['FANFARE_HANDLERS', import.meta.dirname, 'expected the path of a file that exists'],
    ['FANFARE_TOKEN_AUDIENCE', ',,', 'expected at least one item, got ",,"'],
    ['FANFARE_TOKEN_ISSUER', ' , ', 'expected at least one item'],
    ['FANFARE_NAMESPACES', ',', 'expected at least one item'],
    ['FANFARE_SHUTDOWN_MS', '500', 'expected a whole number from 3000 to 3600000, got "500"'],
  ])('refuses %s=%s, alone and with one sentence', (name, value, sentence) => {
    const problems = problemsOf({ ...GOOD, [name]: value });
    expect(problems).toEqual([expect.stringContaining(`${name}: ${sentence}`)]);
  });

  it('takes what is there as pages and handlers', () => {
    const there = { FANFARE_PAGES: import.meta.dirname, FANFARE_HANDLERS: import.meta.filename };
    expect(problemsOf({ ...GOOD, ...there })).toEqual([]);
  });

  it('names both settings when the wait before a drain leaves no time for it', () => {
    const times = { FANFARE_PRE_STOP_MS: '2001', FANFARE_SHUTDOWN_MS: '5000' };
    expect(problemsOf({ ...GOOD, ...times })).toEqual([
      'FANFARE_PRE_STOP_MS leaves no time to drain: set FANFARE_SHUTDOWN_MS at least 3000 ms higher',
    ]);
    expect(problemsOf({ ...GOOD, ...times, FANFARE_PRE_STOP_MS: '2000' })).toEqual([]);
  });

  it.each([
    [{ FANFARE_OPS_PORT: '3000' }, 3000],
    [{ FANFARE_PORT: '9090' }, 9090],
    [{ FANFARE_PORT: '80', FANFARE_OPS_PORT: '80', FANFARE_OPS_HOST: '127.0.0.1' }, 80],
  ])('refuses one port for the public and for operations: %j', (ports, port) => {
    expect(problemsOf({ ...GOOD, ...ports })).toEqual([
      `FANFARE_PORT and FANFARE_OPS_PORT are both ${port}: set one of them to another port`,
    ]);
  });

  it('takes the same port on two addresses, and two free ones', () => {
    const hosts = { FANFARE_HOST: '10.0.0.1', FANFARE_OPS_HOST: '127.0.0.1' };
    expect(problemsOf({ ...GOOD, ...hosts, FANFARE_PORT: '80', FANFARE_OPS_PORT: '80' })).toEqual([]);
    expect(problemsOf({ ...GOOD, FANFARE_PORT: '0', FANFARE_OPS_PORT: '0' })).toEqual([]);
  });

  it('warns of a setting that does not exist and names the one that was meant', () => {
    expect(loadGatewayConfig({ ...GOOD, FANFARE_PROT: '1' }).warnings).toEqual([
      'FANFARE_PROT is not a setting of this process: did you mean FANFARE_PORT?',
    ]);
  });

  it('never prints the secret', () => {
    const config = loadGatewayConfig(GOOD);
    for (const text of [JSON.stringify(config), inspect(config), String(config.identity.secrets)]) {
      expect(text).not.toContain('long-enough');
    }
    expect(config.identity.secrets.map((secret) => secret.reveal())).toEqual([GOOD.FANFARE_TOKEN_SECRET]);
  });

  it('never prints a password of Redis or of its sentinels', () => {
    const { redis } = loadGatewayConfig({
      ...GOOD,
      REDIS_URL: 'redis+sentinel://gateway:hunter2@a,b/main',
      FANFARE_REDIS_SENTINEL_USER: 'guard',
      FANFARE_REDIS_SENTINEL_PASSWORD: 'hunter3',
    });
    expect(redis).toMatchObject({ username: 'gateway', sentinel: { username: 'guard' } });
    for (const text of [JSON.stringify(redis), inspect(redis, { depth: 5 })]) {
      expect(text).not.toContain('hunter');
      expect(text).toContain('[redacted]');
    }
  });

  it.each([
    [{ FANFARE_REDIS_SENTINEL_USER: 'guard' }, 'is set without FANFARE_REDIS_SENTINEL_PASSWORD'],
    [{ FANFARE_REDIS_SENTINEL_PASSWORD: 'hunter2' }, 'REDIS_URL names no sentinels'],
  ])('refuses %j with a Redis that stands alone', (settings, sentence) => {
    const problems = problemsOf({ ...GOOD, REDIS_URL: 'redis://redis', ...settings });
    expect(problems).toEqual([expect.stringContaining(sentence)]);
  });

  it('needs some key that tokens can be checked with, or nobody who needs a token', () => {
    const { FANFARE_TOKEN_SECRET: _, ...without } = GOOD;
    expect(problemsOf(without)).toEqual([
      expect.stringContaining('FANFARE_TOKEN_SECRET is not set: without it'),
    ]);
    const url = 'https://id.example/jwks.json';
    expect(loadGatewayConfig({ ...without, FANFARE_TOKEN_JWKS_URL: url }).identity.jwksUrl).toBe(url);
    expect(loadGatewayConfig({ ...without, FANFARE_ANONYMOUS: 'true' }).identity.anonymous).toBe(true);
  });

  it.each([
    ['FANFARE_TOKEN_SECRET', `${'a'.repeat(32)},short`, 'expected at least 32 characters'],
    ['FANFARE_TOKEN_SECRET', 'a passphrase of several words that is long', 'expected at least 32 characters'],
    ['FANFARE_TOKEN_SECRET', ' , ', 'expected at least 32 characters'],
    ['FANFARE_TOKEN_JWKS_URL', 'https://user:hunter2@id.example/', 'without a user and a password'],
    ['FANFARE_TOKEN_JWKS_URL', 'file:///etc/keys', 'expected a URL like https://'],
    ['FANFARE_TOKEN_PEM_FILE', '/no/such/file', 'cannot be read (ENOENT)'],
    ['FANFARE_ROOM_RULES', 'public*=join', 'does not look like public:*=join+signal'],
  ])('refuses %s=%s', (name, value, sentence) => {
    const problems = problemsOf({ ...GOOD, [name]: value });
    expect(problems).toEqual([expect.stringContaining(sentence)]);
    expect(problems[0]).not.toContain('hunter2');
  });

  it('describes every setting', () => {
    expect(settingRows(gatewaySettings).filter((row) => row.description === '')).toEqual([]);
  });
});
