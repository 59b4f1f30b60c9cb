import { DatabaseSync } from 'node:sqlite';

/**
 * Saved messages in a SQLite file that all nodes of this machine share. A cluster on several machines would use the
 * product's database; the handlers would look the same, with an `await`.
 *
 * @param {string} path
 */
export function openMessages(path) {
  const db = new DatabaseSync(path, { timeout: 5000 });
  db.exec(`
    PRAGMA journal_mode = WAL;
    CREATE TABLE IF NOT EXISTS messages (
      id INTEGER PRIMARY KEY,
      username TEXT NOT NULL,
      message TEXT NOT NULL,
      savedAt INTEGER NOT NULL
    ) STRICT;
  `);
  const insert = db.prepare(
    'INSERT INTO messages (username, message, savedAt) VALUES (?, ?, ?) RETURNING id',
  );
  return {
    /** @param {string} username @param {string} message */
    save: (username, message) => Number(insert.get(username, message, Date.now())?.id),
  };
}
