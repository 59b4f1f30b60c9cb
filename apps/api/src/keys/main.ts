import { newKey } from './new-key.ts';

const [name, ...scopes] = process.argv.slice(2);
try {
  if (name === undefined)
    throw new Error('npm run new-key -- NAME [SCOPE…], such as billing publish:project:*');
  const { key, entry } = newKey(name, scopes);
  process.stdout.write(
    `For the backend, shown only now:\n\n  ${key}\n\nFor FANFARE_API_KEYS or the file of FANFARE_API_KEYS_FILE:\n\n  ${entry}\n`,
  );
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
