// The one file that runs on the machine's own Node (18 or newer): it brings the dependencies, Node 24, Redis and
// nginx, then hands over. It writes to stderr only, so that stdout belongs to what it starts.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, readFileSync, statSync, writeFileSync } from 'node:fs';
import { constants as os } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const machine = process.env;
const ROOT = dirname(fileURLToPath(import.meta.url));
const MODULES = join(ROOT, 'node_modules');
const STAMP = join(MODULES, '.fanfare-install');
const CHECKS = ['lint', 'types', 'knip', 'boundaries', 'test:unit', 'test:redis', 'test:e2e'];
/** Debian keeps nginx in a folder that is not on an ordinary user's PATH. */
const MORE_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/opt/homebrew/bin', '/usr/local/bin'];

/** What to look for, and what the package managers call it. */
const SERVICES = [
  {
    title: 'Redis',
    names: ['redis-server', 'valkey-server'],
    variable: 'REDIS_SERVER',
    atLeast: 7,
    ask: '-v',
  },
  { title: 'nginx', names: ['nginx'], variable: 'NGINX_SERVER', atLeast: 1, ask: '-v' },
];
const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
/** The tests open the pages in a real browser. */
const TEST_SERVICES = [
  ...SERVICES,
  { title: 'Chromium', names: BROWSERS, variable: 'CHROMIUM', atLeast: 100, ask: '--version' },
];
const VERSION = /(?:v=|nginx\/|Chromium |Chrome )(\d+[.\d]*)/;
const PACKAGES = {
  'apt-get': {
    install: 'apt-get install -y',
    Redis: 'redis-server',
    nginx: 'nginx',
    Chromium: 'chromium',
    root: true,
  },
  brew: { install: 'brew install', Redis: 'redis', nginx: 'nginx', Chromium: '--cask chromium', root: false },
  dnf: { install: 'dnf install -y', Redis: 'valkey', nginx: 'nginx', Chromium: 'chromium', root: true },
  pacman: {
    install: 'pacman -S --noconfirm',
    Redis: 'valkey',
    nginx: 'nginx',
    Chromium: 'chromium',
    root: true,
  },
  apk: { install: 'apk add', Redis: 'redis', nginx: 'nginx', Chromium: 'chromium', root: true },
};

/**
 * Installs Debian packages as root. Debian would start their services on 6379 and 80, now and at every boot:
 * policy-rc.d keeps them from starting and update-rc.d from coming back.
 */
const APT_SCRIPT = `
set -e
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 130' INT TERM
  printf '#!/bin/sh\\nexit 101\\n' > "$policy"
  chmod 755 "$policy"
fi
apt-get update
DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=60 install -y --no-install-recommends "$@"
for service in "$@"; do update-rc.d "$service" disable || true; done
`;

/** A failure that is told in its own words, without a stack. */
class Stop extends Error {}

const say = (text) => process.stderr.write(`${text}\n`);

const modifiedMs = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

const isExecutable = (path) => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

const onPath = (name) =>
  [...(machine.PATH ?? '').split(delimiter).filter(Boolean), ...MORE_FOLDERS]
    .map((folder) => join(folder, name))
    .find(isExecutable);

/** The first number of `command args`' output that `pattern` finds, undefined when it does not run. */
const versionOf = (command, args, pattern) => {
  const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  return pattern.exec(`${stdout ?? ''}${stderr ?? ''}`)?.[1];
};

/** Runs a program in the foreground, passes signals on, and gives its exit code. */
const run = (command, args, options = {}) =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 2, 2], ...options });
    // At a terminal Ctrl-C reaches the whole group by itself.
    const pass = (signal) => {
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    };
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    for (const signal of signals) process.on(signal, pass);
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      for (const name of signals) process.off(name, pass);
      resolve(signal ? 128 + os.signals[signal] : code);
    });
  });

/** What node_modules was installed from, and for which machine. */
const fingerprint = () => {
  const lock = readFileSync(join(ROOT, 'package-lock.json'));
  return `${createHash('sha256').update(lock).digest('hex')} ${process.platform}-${process.arch}\n`;
};

/** npm writes the hidden lockfile last, so an install that was cut off does not look complete. */
const areDependenciesCurrent = () => {
  const hiddenMs = modifiedMs(join(MODULES, '.package-lock.json'));
  if (hiddenMs === 0) return false;
  if (hiddenMs >= modifiedMs(join(ROOT, 'package-lock.json'))) return true;
  return modifiedMs(STAMP) >= hiddenMs && readFileSync(STAMP, 'utf8') === fingerprint();
};

const installDependencies = async () => {
  if (areDependenciesCurrent()) return;
  const cli = machine.npm_execpath ?? '';
  const npm = cli.endsWith('npm-cli.js') ? [process.execPath, cli] : [onPath('npm')];
  if (!npm[0]) throw new Stop('npm was not found: it comes with Node, https://nodejs.org.');
  say('Installing the dependencies (npm ci) …');
  const startedMs = Date.now();
  const seconds = () => `${Math.round((Date.now() - startedMs) / 1000)} s`;
  const ticking = setInterval(() => say(`  still installing, ${seconds()} …`), 10_000);
  const flags = [
    '--include=dev',
    '--include=optional',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ];
  const code = await run(npm[0], [...npm.slice(1), 'ci', ...flags]).finally(() => clearInterval(ticking));
  if (code !== 0) throw new Stop(`npm ci failed with code ${code}; what it said stands above.`);
  writeFileSync(STAMP, fingerprint());
  say(`Installed the dependencies in ${seconds()}.`);
};

/** The Node that came with the dependencies where there is one for this machine, else the machine's own. */
const findNode24 = () => {
  const candidates = [join(MODULES, '.bin', 'node'), process.execPath, onPath('node')];
  const found = candidates.find(
    (path) => path && Number(versionOf(path, ['--version'], /^v(\d+)/) ?? 0) >= 24,
  );
  if (found) return found;
  throw new Stop(
    `Fanfare runs on Node 24 or newer; npm brings it for Linux with glibc on x64 and arm64, and here is only Node ${process.versions.node}. Install it from https://nodejs.org or with "nvm install 24".`,
  );
};

/** The path of a program, or why there is none. */
const findService = ({ title, names, variable, atLeast, ask }) => {
  const given = machine[variable];
  const paths = given ? [given] : names.map(onPath).filter(Boolean);
  const seen = paths.map((path) => ({ path, version: versionOf(path, [ask], VERSION) }));
  const good = seen.find(({ version }) => Number.parseInt(version ?? '0', 10) >= atLeast);
  if (good) return { path: good.path };
  const [old] = seen;
  if (!old) return { problem: `${title} (${names.join(' or ')}) was not found` };
  return { problem: `${old.path} is version ${old.version ?? 'unknown'}, and ${title} ${atLeast} is needed` };
};

const missingOf = (services) => services.filter((service) => findService(service).problem);

/** Installs what is missing where that needs no password; gives the command for the reader where it does. */
const installServices = async (services) => {
  const missing = missingOf(services);
  if (missing.length === 0) return undefined;
  const manager = Object.keys(PACKAGES).find(onPath);
  if (!manager) {
    const wanted = missing.map(({ title, variable }) => `${title} (or set ${variable} to its path)`);
    return `Install ${wanted.join(' and ')}.`;
  }
  const known = PACKAGES[manager];
  const packages = missing.map(({ title }) => known[title]);
  const isRoot = process.getuid?.() === 0;
  const byHand = `Run this, then try again:\n  ${known.root && !isRoot ? 'sudo ' : ''}${known.install} ${packages.join(' ')}`;
  const sudo = isRoot ? [] : ['sudo', '-n'];
  const mayBeRoot = isRoot || spawnSync('sudo', ['-n', 'true']).status === 0;
  let command;
  if (manager === 'apt-get' && mayBeRoot) command = [...sudo, 'sh', '-c', APT_SCRIPT, 'sh', ...packages];
  if (manager === 'brew') command = ['brew', 'install', ...packages.flatMap((name) => name.split(' '))];
  if (!command) return byHand;
  say(`Installing ${packages.join(' and ')} with ${manager} …`);
  const code = await run(command[0], command.slice(1));
  if (code !== 0) say(`${manager} failed with code ${code}; what it said stands above.`);
  return missingOf(services).length === 0 ? undefined : byHand;
};

/** Where the programs are, as the environment of the next stage; or what is missing, in sentences. */
const prepareServices = async (services) => {
  const advice = await installServices(services);
  const found = services.map((service) => ({ ...service, ...findService(service) }));
  const problems = found.flatMap(({ problem }) => (problem ? [`${problem}.`] : []));
  if (problems.length > 0) return { missing: [...problems, advice].join('\n') };
  return { env: Object.fromEntries(found.map(({ variable, path }) => [variable, path])) };
};

const start = async (args) => {
  const asked = args.some((arg) => ['--single', '--help', '-h'].includes(arg));
  const { missing, env } = asked ? {} : await prepareServices(SERVICES);
  const mode = missing ? ['--single'] : [];
  if (missing) say(`${missing}\nUntil then one node runs on this machine, without Redis and nginx.\n`);
  return { args: ['--conditions=source', join(ROOT, 'deploy/local/src/main.ts'), ...mode, ...args], env };
};

const test = async (args) => {
  const { missing, env } = await prepareServices(TEST_SERVICES);
  if (missing) throw new Stop(missing);
  const turbo = join(MODULES, 'turbo', 'bin', 'turbo');
  const output = ['--output-logs=full', '--log-order=stream', '--log-prefix=none'];
  return { args: [turbo, 'run', ...CHECKS, ...output, ...args], env };
};

/** A program of the repository that needs Redis and nginx. */
const program = (path) => async (args) => {
  const { missing, env } = await prepareServices(SERVICES);
  if (missing) throw new Stop(missing);
  return { args: ['--conditions=source', join(ROOT, path), ...args], env };
};

/** The property test over many more random programs than `npm test` has time for. */
const long = async (args) => {
  const vitest = join(MODULES, 'vitest', 'vitest.mjs');
  const env = { FANOUT_RUNS: machine.FANOUT_RUNS ?? '20000' };
  return { args: [vitest, 'run', '--project', 'unit', 'packages/fanout', ...args], env };
};

/** Makes an API key; needs the dependencies alone. */
const newKey = async (args) => ({
  args: ['--conditions=source', join(ROOT, 'apps/api/src/keys/main.ts'), ...args],
});

const COMMANDS = {
  start,
  test,
  'new-key': newKey,
  bench: program('apps/loadgen/src/bench.ts'),
  chaos: program('packages/e2e/src/chaos/main.ts'),
  hostile: program('packages/e2e/src/hostile/main.ts'),
  outbox: program('packages/e2e/src/outbox/main.ts'),
  long,
};

const main = async ([name, ...args]) => {
  const command = Object.hasOwn(COMMANDS, name ?? '') ? COMMANDS[name] : undefined;
  if (!command) throw new Stop(`Usage: node bootstrap.mjs ${Object.keys(COMMANDS).join('|')} [options]`);
  if (Number.parseInt(process.versions.node, 10) < 18) {
    throw new Stop(`Fanfare is installed with Node 18 or newer, and this is Node ${process.versions.node}.`);
  }
  await installDependencies();
  const node = findNode24();
  const next = await command(args);
  const PATH = [join(MODULES, '.bin'), dirname(node), machine.PATH].filter(Boolean).join(delimiter);
  const env = { ...machine, ...next.env, PATH, TURBO_TELEMETRY_DISABLED: '1' };
  return run(node, next.args, { env, stdio: 'inherit' });
};

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof Stop)) throw error;
  say(error.message);
  process.exitCode = 1;
}
