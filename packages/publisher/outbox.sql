-- The outbox of Fanfare, version 1, for PostgreSQL 14 or newer. Run it as one of your migrations, as a role that may
-- create a schema. It may run again at any time, also at the same time elsewhere: what is there stays as it is.
--
--   SELECT fanfare.publish('project:42', 'task:created', '{"id": 7}');
--
-- Within your transaction: the event is told if the transaction commits, and is not if it does not.
DO $outbox$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('fanfare.outbox', 0));

  CREATE SCHEMA IF NOT EXISTS fanfare;
  CREATE SEQUENCE IF NOT EXISTS fanfare.outbox_id;

  CREATE TABLE IF NOT EXISTS fanfare.outbox (
    -- Of one room: in the order in which its transactions committed. Whatever is given is replaced.
    id bigint PRIMARY KEY,
    -- Of its room: a relay tells all of a partition, in order.
    partition smallint NOT NULL,
    namespace text COLLATE "C" NOT NULL DEFAULT '/',
    room text COLLATE "C",
    -- A user, in whose inbox the event goes; instead of a room.
    recipient text COLLATE "C",
    event text COLLATE "C" NOT NULL,
    data json NOT NULL,
    -- What clients hear as meta.id; random unless it is given.
    event_id text NOT NULL,
    -- Users who do not hear it.
    excepted text[],
    created_at timestamptz NOT NULL,
    tries integer NOT NULL DEFAULT 0,
    error text,
    told_at timestamptz,
    dead_at timestamptz,
    CONSTRAINT outbox_has_room_or_recipient CHECK ((room IS NULL) <> (recipient IS NULL)),
    CONSTRAINT outbox_namespace_looks_like_slash_chat CHECK (namespace ~ '^/[a-z0-9-]{0,63}$'),
    CONSTRAINT outbox_room_looks_like_project_42
      CHECK (room ~ '^[a-z][a-z0-9-]*(:[A-Za-z0-9_-]{1,64}){1,3}$' AND length(room) <= 200),
    CONSTRAINT outbox_room_is_not_an_inbox CHECK (room NOT LIKE 'inbox:%'),
    CONSTRAINT outbox_recipient_has_1_to_256_characters CHECK (length(recipient) BETWEEN 1 AND 256),
    CONSTRAINT outbox_event_looks_like_task_created CHECK (event ~ '^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$'),
    CONSTRAINT outbox_event_is_not_one_of_the_protocol CHECK (event NOT IN (
      'connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener',
      'room:join', 'room:leave', 'room:publish', 'room:signal', 'user:send', 'presence:list', 'token:refresh',
      'room:skip', 'room:reset', 'room:joined', 'room:left', 'presence:changed', 'presence:state',
      'session:expiring', 'session:closing'
    )),
    CONSTRAINT outbox_data_has_at_most_64_kb CHECK (octet_length(data::text) <= 65536),
    CONSTRAINT outbox_event_id_has_1_to_128_characters CHECK (length(event_id) BETWEEN 1 AND 128),
    CONSTRAINT outbox_excepted_are_at_most_50 CHECK (cardinality(excepted) <= 50)
  ) WITH (autovacuum_vacuum_scale_factor = 0.02);

  CREATE INDEX IF NOT EXISTS outbox_waiting ON fanfare.outbox (partition, id)
    WHERE told_at IS NULL AND dead_at IS NULL;
  CREATE INDEX IF NOT EXISTS outbox_told ON fanfare.outbox (told_at) WHERE told_at IS NOT NULL;
  CREATE INDEX IF NOT EXISTS outbox_dead ON fanfare.outbox (id) WHERE dead_at IS NOT NULL;

  -- One row. `instance` names this sequence of ids; it changes with `origin`, when the ids may start again.
  CREATE TABLE IF NOT EXISTS fanfare.outbox_state (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    version integer NOT NULL,
    instance uuid NOT NULL,
    origin text NOT NULL
  );

  -- The lock of the room is held until the transaction ends, and the id is taken behind it: of two events of a room
  -- the later id is never visible before the earlier one.
  CREATE OR REPLACE FUNCTION fanfare.outbox_before_insert() RETURNS trigger LANGUAGE plpgsql AS $$
  DECLARE
    place bigint := hashtextextended(NEW.namespace || ' ' || coalesce(NEW.room, '~' || NEW.recipient, ''), 7);
  BEGIN
    PERFORM pg_advisory_xact_lock(place);
    NEW.id := nextval('fanfare.outbox_id');
    NEW.partition := place & 15;
    NEW.event_id := coalesce(NEW.event_id, gen_random_uuid()::text);
    NEW.created_at := clock_timestamp();
    RETURN NEW;
  END $$;
  CREATE OR REPLACE TRIGGER outbox_order BEFORE INSERT ON fanfare.outbox
    FOR EACH ROW EXECUTE FUNCTION fanfare.outbox_before_insert();

  CREATE OR REPLACE FUNCTION fanfare.outbox_wake() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    PERFORM pg_notify('fanfare_outbox', '');
    RETURN NULL;
  END $$;
  CREATE OR REPLACE TRIGGER outbox_wake AFTER INSERT ON fanfare.outbox
    FOR EACH STATEMENT EXECUTE FUNCTION fanfare.outbox_wake();

  -- Tells the members of a room; returns the id that they hear as meta.id.
  CREATE OR REPLACE FUNCTION fanfare.publish(
    room text, event text, data jsonb,
    id text DEFAULT NULL, namespace text DEFAULT '/', excepted text[] DEFAULT NULL
  ) RETURNS text LANGUAGE sql AS $$
    INSERT INTO fanfare.outbox (room, event, data, event_id, namespace, excepted)
      VALUES ($1, $2, $3::json, $4, $5, $6) RETURNING event_id
  $$;

  -- Tells one user, through their inbox; returns the id that they hear as meta.id.
  CREATE OR REPLACE FUNCTION fanfare.publish_to_user(
    recipient text, event text, data jsonb, id text DEFAULT NULL, namespace text DEFAULT '/'
  ) RETURNS text LANGUAGE sql AS $$
    INSERT INTO fanfare.outbox (recipient, event, data, event_id, namespace)
      VALUES ($1, $2, $3::json, $4, $5) RETURNING event_id
  $$;

  -- Another try for a dead letter, behind what its room has been told since; returns its new number.
  CREATE OR REPLACE FUNCTION fanfare.outbox_retry(dead bigint) RETURNS bigint LANGUAGE sql AS $$
    WITH gone AS (DELETE FROM fanfare.outbox WHERE outbox.id = $1 AND dead_at IS NOT NULL RETURNING *)
    INSERT INTO fanfare.outbox (namespace, room, recipient, event, data, event_id, excepted)
      SELECT namespace, room, recipient, event, data, event_id, excepted FROM gone RETURNING outbox.id
  $$;

  -- Where the ids come from: server, its timeline (a failover or a restore starts another), database and sequence.
  CREATE OR REPLACE FUNCTION fanfare.outbox_origin() RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ',
      (SELECT system_identifier FROM pg_control_system()),
      left(pg_walfile_name(pg_current_wal_lsn()), 8),
      (SELECT oid FROM pg_database WHERE datname = current_database()),
      pg_relation_filenode('fanfare.outbox_id'))
  $$;

  -- Asked by a relay before it reads.
  CREATE OR REPLACE FUNCTION fanfare.outbox_open(OUT version integer, OUT instance uuid) LANGUAGE plpgsql AS $$
  DECLARE
    now_from text := fanfare.outbox_origin();
  BEGIN
    UPDATE fanfare.outbox_state s SET origin = now_from, instance = gen_random_uuid() WHERE s.origin <> now_from;
    SELECT s.version, s.instance INTO version, instance FROM fanfare.outbox_state s;
  END $$;

  -- To be called after the database was set back by other means than PostgreSQL's, as a snapshot of its disk.
  CREATE OR REPLACE FUNCTION fanfare.outbox_renew() RETURNS void LANGUAGE sql AS $$
    UPDATE fanfare.outbox_state SET instance = gen_random_uuid()
  $$;

  INSERT INTO fanfare.outbox_state (version, instance, origin)
    VALUES (1, gen_random_uuid(), fanfare.outbox_origin())
    ON CONFLICT (one) DO UPDATE SET version = excluded.version;
END $outbox$;
