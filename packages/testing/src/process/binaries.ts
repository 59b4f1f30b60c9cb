import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/** A program that the machine has to provide. */
export interface Binary {
  /** Names to look for, the preferred one first. */
  names: readonly [string, ...string[]];
  /** Environment variable that may hold its path. */
  variable: string;
  /** The sentence that says how to get it. */
  install: string;
}

export const REDIS: Binary = {
  names: ['redis-server', 'valkey-server'],
  variable: 'REDIS_SERVER',
  install:
    'install it with "apt-get install -y redis-server" (Debian, Ubuntu) or "brew install redis" (macOS), or set REDIS_SERVER to its path',
};

export const NGINX: Binary = {
  names: ['nginx'],
  variable: 'NGINX_SERVER',
  install:
    'install it with "apt-get install -y nginx" (Debian, Ubuntu) or "brew install nginx" (macOS), or set NGINX_SERVER to its path',
};

/** Debian keeps nginx in a folder that is not on an ordinary user's PATH. */
const MORE_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/opt/homebrew/bin', '/usr/local/bin'];

const isExecutable = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  );

/** The environment that started processes inherit, with `changes` on top; `undefined` removes a name. */
export const environment = (
  changes: Readonly<Record<string, string | undefined>> = {},
): NodeJS.ProcessEnv => {
  // biome-ignore lint/style/noProcessEnv: what is started here runs in the environment of whoever starts it.
  const all = { ...process.env, ...changes };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
};

/** The absolute path of a program, from its variable, PATH or the usual folders; else one clear sentence. */
export const findBinary = async (binary: Binary): Promise<string> => {
  const machine = environment();
  const given = machine[binary.variable];
  if (given) {
    if (await isExecutable(given)) return given;
    throw new Error(`${binary.variable} is ${given}, which is not a program: ${binary.install}.`);
  }
  const folders = [...(machine.PATH ?? '').split(delimiter).filter(Boolean), ...MORE_FOLDERS];
  for (const name of binary.names) {
    for (const folder of folders) {
      const path = join(folder, name);
      if (await isExecutable(path)) return path;
    }
  }
  throw new Error(`${binary.names.join(' or ')} was not found: ${binary.install}.`);
};
