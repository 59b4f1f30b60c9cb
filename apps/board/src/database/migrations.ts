import { outboxSql } from '@fanfare/publisher/outbox';
import { type Kysely, sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';

const first: Migration = {
  up: async (db: Kysely<unknown>) => {
    const statements = `
      create table users (
        id uuid primary key default gen_random_uuid(),
        name text not null check (name ~ '^[a-z0-9][a-z0-9-]{1,29}$') unique,
        password text not null,
        created_at timestamptz not null default now()
      );
      create table sessions (
        id_hash text primary key,
        user_id uuid not null references users on delete cascade,
        expires_at timestamptz not null
      );
      create table sign_in_tries (
        key text primary key,
        tries int not null,
        until timestamptz not null
      );
      create table projects (
        id uuid primary key default gen_random_uuid(),
        name text not null check (length(name) between 1 and 100),
        status text not null default 'active' check (status in ('planned', 'active', 'on-hold', 'done')),
        created_at timestamptz not null default now()
      );
      create table members (
        project_id uuid not null references projects on delete cascade,
        user_id uuid not null references users on delete cascade,
        role text not null check (role in ('owner', 'member', 'viewer')),
        read_up_to int not null default 0,
        primary key (project_id, user_id)
      );
      create index on members (user_id);
      create table columns (
        id uuid primary key default gen_random_uuid(),
        project_id uuid not null references projects on delete cascade,
        title text not null check (length(title) between 1 and 60),
        position int not null,
        unique (project_id, id)
      );
      create table tasks (
        id uuid primary key default gen_random_uuid(),
        project_id uuid not null references projects on delete cascade,
        column_id uuid not null,
        title text not null check (length(title) between 1 and 200),
        description text not null default '' check (length(description) <= 10000),
        assignee_id uuid references users on delete set null,
        position double precision not null,
        version int not null default 1,
        created_at timestamptz not null default now(),
        foreign key (project_id, column_id) references columns (project_id, id)
      );
      create index on tasks (project_id, column_id, position);
      create table comments (
        id uuid primary key default gen_random_uuid(),
        project_id uuid not null references projects on delete cascade,
        task_id uuid not null references tasks on delete cascade,
        author_id uuid not null references users on delete cascade,
        text text not null check (length(text) between 1 and 4000),
        created_at timestamptz not null default now()
      );
      create index on comments (task_id, created_at);
      create index on comments (project_id, created_at);
      create table messages (
        id uuid primary key,
        seq int generated always as identity unique,
        project_id uuid not null references projects on delete cascade,
        author_id uuid not null references users on delete cascade,
        text text not null check (length(text) between 1 and 4000),
        created_at timestamptz not null default now()
      );
      create index on messages (project_id, seq);
      create table direct_messages (
        id uuid primary key,
        from_id uuid not null references users on delete cascade,
        to_id uuid not null references users on delete cascade,
        text text not null check (length(text) between 1 and 4000),
        created_at timestamptz not null default now()
      );
      create table removals (
        project_id uuid not null,
        user_id uuid not null,
        primary key (project_id, user_id)
      );`;
    await sql.raw(statements).execute(db);
  },
};

const orders: Migration = {
  up: async (db: Kysely<unknown>) => {
    const statements = `
      alter table removals add column id uuid not null default gen_random_uuid();
      create table revocations (sid text primary key);`;
    await sql.raw(statements).execute(db);
  },
};

/** In the order of their names; one that has run somewhere is never edited. */
const MIGRATIONS: Record<string, Migration> = {
  '0001-first': first,
  // Its statement brings an older outbox up to date: a new version of the publisher takes another entry here.
  '0002-outbox': {
    up: (db: Kysely<unknown>) =>
      sql
        .raw(outboxSql())
        .execute(db)
        .then(() => undefined),
  },
  '0003-orders': orders,
};

/** Brings the tables up to date; processes that start together wait for each other. */
export const migrate = async <Schema>(db: Kysely<Schema>): Promise<void> => {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => MIGRATIONS } });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
};
