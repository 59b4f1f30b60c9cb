import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { apiSettings, loadApiConfig } from '@fanfare/api/config';
import { gatewaySettings, loadGatewayConfig } from '@fanfare/gateway/config';
import type { Secret } from '@fanfare/runtime';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { fencesOf } from '../docs/markdown.ts';

const ROOT = new URL('../../../../', import.meta.url);
const read = (path: string) => readFile(new URL(path, ROOT), 'utf8');

const service = z.object({
  image: z.string(),
  build: z.object({ dockerfile: z.string(), args: z.object({ APP: z.string() }) }).optional(),
  env_file: z.array(z.strictObject({ path: z.string(), required: z.literal(false) })).default([]),
  environment: z.record(z.string(), z.string().nullable()).default({}),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  networks: z.array(z.string()),
  // Compose would replace, or stop, whatever depends on a service that it replaces, and its clients with it.
  depends_on: z.never().optional(),
  scale: z.string().optional(),
  healthcheck: z.object({ interval: z.string() }).optional(),
  stop_grace_period: z.string().optional(),
  user: z.string().optional(),
  read_only: z.literal(true),
  tmpfs: z.array(z.string()).min(1),
  cap_drop: z.tuple([z.literal('ALL')]),
  security_opt: z.array(z.literal('no-new-privileges:true')).length(1),
  // With one of these a second container of the service could not start.
  container_name: z.never().optional(),
  hostname: z.never().optional(),
});
const services = z
  .object({
    services: z.object({
      nginx: service,
      gateway: service,
      api: service,
      redis: service,
      prometheus: service.extend({ profiles: z.tuple([z.literal('monitoring')]) }),
      grafana: service.extend({
        profiles: z.tuple([z.literal('monitoring')]),
        entrypoint: z.array(z.string()).optional(),
      }),
    }),
  })
  .transform((file) => file.services)
  .parse(parse(await read('docker-compose.yml'), { merge: true }));
const dockerfile = await read('deploy/Dockerfile');

const SECRETS = {
  REDIS_GATEWAY_PASSWORD: 'a1'.repeat(16),
  REDIS_API_PASSWORD: 'b2'.repeat(16),
  REDIS_OPERATOR_PASSWORD: 'c3'.repeat(16),
  FANFARE_TOKEN_SECRET: 'x'.repeat(32),
  FANFARE_API_KEYS: 'backend:0123456789abcdef',
} as const;

/** What the container's environment holds when .env holds nothing but the secrets. */
const environmentOf = (app: 'gateway' | 'api'): Record<string, string | undefined> =>
  Object.fromEntries(
    Object.entries(services[app].environment).map(([name, value]) => [
      name,
      value?.replaceAll(
        /\$\{(\w+):\?[^}]*\}/g,
        (_, variable) => z.record(z.string(), z.string()).parse(SECRETS)[variable] ?? '',
      ),
    ]),
  );

const seconds = (duration: string | undefined) => Number(/^(\d+)s$/.exec(duration ?? '')?.[1]);

test('the compose file is written for Compose v2 and names no version (C4)', async () => {
  expect(parse(await read('docker-compose.yml'), { merge: true })).not.toHaveProperty('version');
});

test('every image that is not built here is pinned to a release', () => {
  for (const { image } of [services.nginx, services.redis, services.prometheus, services.grafana]) {
    expect(image).toMatch(/:v?\d+\.\d+\.\d+(-\w+)?$/);
  }
  const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, base]) => base);
  expect(bases.length).toBeGreaterThan(1);
  expect(new Set(bases)).toEqual(new Set(['node:24-bookworm-slim']));
});

describe.each([
  ['gateway', gatewaySettings.shape, loadGatewayConfig],
  ['api', apiSettings.shape, loadApiConfig],
] as const)('the %s container', (app, settings, load) => {
  test('is given only settings that the app knows, and starts with nothing but the secrets', () => {
    expect(Object.keys(settings)).toEqual(expect.arrayContaining(Object.keys(services[app].environment)));
    const config = load(environmentOf(app));
    expect(config.warnings).toEqual([]);
    expect(config.redis).toMatchObject({
      kind: 'standalone',
      nodes: [{ host: 'redis', port: 6379 }],
      username: app,
    });
    const password = SECRETS[app === 'api' ? 'REDIS_API_PASSWORD' : 'REDIS_GATEWAY_PASSWORD'];
    expect(config.redis?.password).toSatisfy((kept: Secret) => kept.reveal() === password);
  });

  test('takes every setting from a file of its own, but those that .env.example names', async () => {
    expect(services[app].env_file).toEqual([{ path: `${app}.env`, required: false }]);
    // A name without a value hides the same name in the file.
    const hidden = Object.entries(services[app].environment).filter(([, value]) => value === null);
    const example = await read('.env.example');
    for (const [name] of hidden) expect(example).toMatch(new RegExp(`^#?${name}=`, 'm'));
    expect(await read('.gitignore')).toMatch(new RegExp(`^/${app}\\.env$`, 'm'));
  });

  test('has the time that its shutdown takes at most', () => {
    const { shutdownMs } = load(environmentOf(app));
    expect(seconds(services[app].stop_grace_period) * 1000).toBeGreaterThan(shutdownMs);
  });

  test('is built from the one Dockerfile', () => {
    expect(services[app].build).toMatchObject({ dockerfile: 'deploy/Dockerfile', args: { APP: app } });
  });
});

test('no secret has a default: without .env it refuses to start and says what to do', async () => {
  const example = await read('.env.example');
  for (const [name, app] of [
    ['FANFARE_TOKEN_SECRET', services.gateway],
    ['FANFARE_API_KEYS', services.api],
    ['REDIS_GATEWAY_PASSWORD', services.redis],
    ['REDIS_API_PASSWORD', services.redis],
    ['REDIS_OPERATOR_PASSWORD', services.redis],
  ] as const) {
    expect(app.environment[name]).toBe(`\${${name}:?copy .env.example to .env and fill it in}`);
    expect(example).toMatch(new RegExp(`^${name}=$`, 'm'));
  }
});

test('Grafana has no password but the one of .env, and lets nobody in without', () => {
  const { environment } = services.grafana;
  expect(environment.GF_SECURITY_ADMIN_PASSWORD).toMatch(/^\$\{GRAFANA_PASSWORD:-\}$/);
  expect(environment).not.toHaveProperty('GF_AUTH_ANONYMOUS_ENABLED');
  expect(services.grafana.entrypoint?.join(' ')).toContain('test -n "$$GF_SECURITY_ADMIN_PASSWORD" ||');
});

test('every setting of .env.example is read by the compose file', async () => {
  const compose = await read('docker-compose.yml');
  const names = [...(await read('.env.example')).matchAll(/^#?([A-Z_]+)=/gm)].map(([, name]) => name);
  expect(names).toContain('FANFARE_PORT');
  for (const name of names) expect(compose).toMatch(new RegExp(`\\b${name}\\b`));
});

test('only nginx is reachable from outside, and nginx cannot reach Redis', () => {
  const { nginx, prometheus, grafana, ...others } = services;
  for (const { ports } of [prometheus, grafana]) {
    expect(ports).toHaveLength(1);
    expect(ports[0]).toMatch(/^127\.0\.0\.1:/);
  }
  expect(grafana.networks).toEqual(['monitoring']);
  expect(nginx.ports).toHaveLength(1);
  for (const { ports } of Object.values(others)) expect(ports).toEqual([]);
  expect(nginx.networks).toEqual(['edge']);
  expect(services.redis.networks).toEqual(['bus']);
});

test('no container runs as root', () => {
  for (const { user, build } of Object.values(services)) {
    if (!build) expect(user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  }
  expect(dockerfile.match(/^USER .*/gm)).toEqual(['USER node']);
});

test('health checks are cheap: every 10 s or less often, and none starts a Node process', () => {
  const [, interval] = /^HEALTHCHECK --interval=(\d+s)/m.exec(dockerfile) ?? [];
  for (const { build, healthcheck } of Object.values(services)) {
    if (!build && !healthcheck) continue;
    expect(seconds(build ? interval : healthcheck?.interval)).toBeGreaterThanOrEqual(10);
  }
  expect(dockerfile).toMatch(/^HEALTHCHECK .* CMD \["bash"/m);
});

test('the number of gateways stands in .env, so that no later command forgets it', () => {
  expect(services.gateway.scale).toMatch(/^\$\{FANFARE_GATEWAYS:-\d\}$/);
});

test('the override of operations.md, for a Redis of your own, sets what the apps know', async () => {
  const [yaml = ''] = fencesOf(await read('docs/operations.md'), 'yaml');
  const override = z
    .strictObject({
      services: z.strictObject({
        gateway: z.object({ environment: z.record(z.string(), z.string()) }),
        api: z.object({ environment: z.record(z.string(), z.string()) }),
        redis: z.strictObject({ scale: z.literal(0) }),
      }),
    })
    .parse(parse(yaml));
  for (const [app, settings] of [
    ['gateway', gatewaySettings.shape],
    ['api', apiSettings.shape],
  ] as const) {
    const { REDIS_URL = '', ...others } = override.services[app].environment;
    expect(REDIS_URL).toMatch(new RegExp(`^rediss://${app}:\\$\\{REDIS_${app.toUpperCase()}_PASSWORD\\}@`));
    expect(Object.keys(settings)).toEqual(expect.arrayContaining(Object.keys(others)));
  }
});

test('nginx finds its includes, and the services at their ports', async () => {
  const configs = await Promise.all([read('nginx.conf'), read('deploy/nginx/compose/http.conf')]);
  // What an asterisk makes optional is there too.
  const files = [...configs.join('').matchAll(/include fanfare\/(\S+);/g)].map(([, file = '']) =>
    file.replace('board*', 'board').replace('*', '-limits'),
  );
  expect(await readdir(fileURLToPath(new URL('deploy/nginx/compose', ROOT)))).toEqual(files.sort());
  expect(services.nginx.volumes).toEqual([
    './nginx.conf:/etc/nginx/nginx.conf:ro',
    './deploy/nginx/compose:/etc/nginx/fanfare:ro',
  ]);
  const gateways = await read('deploy/nginx/compose/gateways.conf');
  const { port } = loadGatewayConfig(environmentOf('gateway')).http;
  expect(gateways).toContain(`default gateway:${port};`);
  expect(gateways).toContain(`$container:${port};`);
  const api = loadApiConfig(environmentOf('api')).http;
  expect(await read('deploy/nginx/compose/http.conf')).toContain(`default api:${api.port};`);
  const [, listens] = /^listen (\d+)/m.exec(await read('deploy/nginx/compose/listen.conf')) ?? [];
  expect(services.nginx.ports[0]).toMatch(new RegExp(`:${listens}$`));
});

test('Redis keeps what it accepts and bounds its memory', async () => {
  const lines = (await read('deploy/redis/redis.conf')).split('\n');
  expect(lines).toEqual(
    expect.arrayContaining([
      'appendonly yes',
      'appendfsync everysec',
      'maxmemory-policy noeviction',
      'proto-max-bulk-len 8mb',
      'client-output-buffer-limit pubsub 64mb 16mb 30',
      'tcp-keepalive 30',
    ]),
  );
  expect(services.redis.volumes).toEqual(['./deploy/redis:/etc/redis:ro', 'redis:/data']);
});

test('the image gets the manifest of every workspace, which npm ci needs', async () => {
  const { workspaces } = z
    .object({ workspaces: z.array(z.string()) })
    .parse(JSON.parse(await read('package.json')));
  const allowed = (await read('.dockerignore')).split('\n').filter((line) => line.startsWith('!'));
  for (const workspace of workspaces) {
    const wanted = workspace.endsWith('/*') ? `!${workspace.slice(0, -2)}` : `!${workspace}/package.json`;
    expect(allowed).toContain(wanted);
  }
});

test('the image gets what the tsconfig of an app extends, which bundlers read', async () => {
  const { extends: base } = z
    .object({ extends: z.string() })
    .parse(JSON.parse(await read('apps/board/tsconfig.json')));
  const name = base.replace('../../', '');
  expect((await read('.dockerignore')).split('\n')).toContain(`!${name}`);
  expect(dockerfile).toContain(`COPY --from=source /source/${name} /app/`);
});
