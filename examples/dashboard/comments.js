import { DatabaseSync } from 'node:sqlite';

/** @typedef {{ id: number, user: string, comment: string }} Comment */

/**
 * The comments, in a SQLite file that all nodes of this machine share; the database itself refuses what is no
 * comment. A cluster on several machines would use the product's database.
 *
 * @param {string} path
 */
export function openComments(path) {
  const db = new DatabaseSync(path, { timeout: 5000 });
  db.exec(`
    PRAGMA journal_mode = WAL;
    CREATE TABLE IF NOT EXISTS comments (
      id INTEGER PRIMARY KEY,
      user TEXT NOT NULL CHECK (user <> ''),
      comment TEXT NOT NULL CHECK (length(comment) BETWEEN 1 AND 500)
    ) STRICT;
  `);
  const insert = db.prepare('INSERT INTO comments (user, comment) VALUES (?, ?) RETURNING id, user, comment');
  const select = db.prepare('SELECT id, user, comment FROM comments ORDER BY id DESC LIMIT ?');
  return {
    /** Throws when the database refuses it. */
    insert: (/** @type {string} */ user, /** @type {string} */ comment) =>
      /** @type {Comment} */ (/** @type {unknown} */ (insert.get(user, comment))),
    /** The newest first. */
    latest: (/** @type {number} */ count) =>
      /** @type {Comment[]} */ (/** @type {unknown} */ (select.all(count))),
  };
}
