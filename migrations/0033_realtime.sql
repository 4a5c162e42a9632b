-- Channels: the schema `realtime` as Supabase Realtime has it, and the tables by which hosts tell each other what was sent.
--
-- A message that SQL sends is a row of `realtime.messages`. The app's policies on this table also decide who may use a private
-- channel: whoever sees a row with its topic receives what is sent there, and whoever may insert one may send.
--
-- A database that has `realtime.messages` already (a Supabase project) keeps all that it has, as it is: its table, functions, types,
-- policies and publication. The host's triggers are added to the table, nothing else. A table of another form is left alone; there
-- the host serves no private channel.

-- What hosts tell each other ------------------------------------------------------------------------------------------

-- Only the host reads and writes these. Where a table is unlogged, its rows are worth nothing after a crash of the server.

create table behalf.realtime_hosts (
    host uuid primary key,
    seen_at timestamptz not null default now()
) with (fillfactor = 50);
comment on table behalf.realtime_hosts is 'Hosts that serve channels, and when each was last seen.';

create unlogged table behalf.realtime_bus (
    seq bigint generated always as identity,
    xid xid8 not null default pg_current_xact_id(),
    host uuid not null,
    body bytea not null,
    at timestamptz not null default now()
);
comment on table behalf.realtime_bus is 'What a host tells the others: broadcasts of clients, changes of who is there. Kept for a minute.';
comment on column behalf.realtime_bus.xid is 'The transaction that wrote it: by this a reader knows which rows became visible since it last read.';
-- A row is read once or twice and soon deleted: compressing it costs more than it saves.
alter table behalf.realtime_bus alter column body set storage external;
create index realtime_bus_xid_idx on behalf.realtime_bus (xid);

create table behalf.realtime_outbox (
    seq bigint generated always as identity,
    xid xid8 not null default pg_current_xact_id(),
    id uuid not null,
    inserted_at timestamp not null,
    at timestamptz not null default now()
);
comment on table behalf.realtime_outbox is 'Messages that SQL sent, for every host to publish. Kept for ten minutes.';
comment on column behalf.realtime_outbox.xid is 'The transaction that wrote it: by this a reader knows which rows became visible since it last read.';
comment on column behalf.realtime_outbox.id is 'The message, with inserted_at the key of its row of realtime.messages.';
create index realtime_outbox_xid_idx on behalf.realtime_outbox (xid);

create unlogged table behalf.realtime_presence (
    topic text not null,
    is_private boolean not null,
    key text not null,
    ref text not null,
    meta jsonb not null,
    channel uuid not null,
    host uuid not null,
    primary key (channel, key)
);
comment on table behalf.realtime_presence is 'Who is in a room: what a channel tracks.';
comment on column behalf.realtime_presence.ref is 'What clients tell presences apart by.';
comment on column behalf.realtime_presence.channel is 'The channel that tracks it, which is one topic of one socket.';
create index realtime_presence_room_idx on behalf.realtime_presence (topic, is_private);
create index realtime_presence_host_idx on behalf.realtime_presence (host);

create table behalf.realtime_replication (
    only_row boolean primary key default true check (only_row),
    leader uuid,
    until timestamptz,
    slot text,
    confirmed pg_lsn,
    lost_at timestamptz,
    reason text
);
comment on table behalf.realtime_replication is 'Which host reads the changes of tables, and how far.';
comment on column behalf.realtime_replication.until is 'Until when it may be silent before another host takes over.';
comment on column behalf.realtime_replication.lost_at is 'When changes were lost, because the server had thrown them away before they were read.';
insert into behalf.realtime_replication default values;

create unlogged table behalf.realtime_tables (
    host uuid not null,
    relation oid not null,
    primary key (host, relation)
);
comment on table behalf.realtime_tables is 'Tables whose changes somebody at a host has subscribed to.';

grant select, insert, update, delete on behalf.realtime_hosts, behalf.realtime_bus, behalf.realtime_outbox, behalf.realtime_presence,
    behalf.realtime_replication, behalf.realtime_tables to behalf_host;

-- Functions that every caller may run ---------------------------------------------------------------------------------

-- In a schema of their own: a Supabase project's schema `realtime` belongs to somebody else.
create schema if not exists behalf_realtime;
grant usage on schema behalf_realtime to public;

-- PL/pgSQL sets a setting to a value only by a statement that it builds as text, or by set_config, which callers may not run.
create function behalf_realtime.set_topic(topic text) returns void
language plpgsql security definer set search_path = ''
as $$
begin
    perform pg_catalog.set_config('realtime.topic', topic, true);
end
$$;
comment on function behalf_realtime.set_topic(text) is
    'Says what realtime.topic() answers until the end of the transaction, and nothing else; behalf: reviewed';

-- Rows that try a policy. Nobody sees them but the transaction that made them, and it cannot commit them.
create function behalf_realtime.trial_id() returns uuid
language sql volatile
as $$ select ('be4a1f00-0000-8000-8000-' || pg_catalog.substr(pg_catalog.gen_random_uuid()::text, 25))::uuid $$;
comment on function behalf_realtime.trial_id() is 'An id by which rows that only try a policy are known. No generator makes such ids.';

create function behalf_realtime.trial_rows(topic text, moment timestamp) returns uuid[]
language plpgsql security definer set search_path = ''
as $$
declare
    ids constant uuid[] := array[behalf_realtime.trial_id(), behalf_realtime.trial_id()];
begin
    -- Without this trigger, the rows could be committed, by anybody and to every channel.
    if not exists (select from pg_catalog.pg_trigger t
                   where t.tgrelid = pg_catalog.to_regclass('realtime.messages') and t.tgname = 'behalf_refuses_trial_row'
                     and t.tgenabled in ('O', 'A')) then
        raise sqlstate 'BHRT2' using message = 'realtime.messages has no trigger that refuses rows which only try a policy';
    end if;
    insert into realtime.messages (id, topic, extension, private, inserted_at, updated_at)
    values (ids[1], topic, 'broadcast', true, moment, moment), (ids[2], topic, 'presence', true, moment, moment);
    return ids;
end
$$;
comment on function behalf_realtime.trial_rows(text, timestamp) is
    'Writes a row of each kind for a policy to judge; the transaction that calls it cannot commit; behalf: reviewed';

-- Each part is undone before the next begins, with all that policies and the app's triggers did in it. A policy that waits is stopped
-- from outside, and then nothing is answered.
create function behalf_realtime.rights(
    topic text,
    out read_broadcast boolean,
    out write_broadcast boolean,
    out read_presence boolean,
    out write_presence boolean,
    out read_failed text,
    out write_failed text
)
-- To plan for one table of a day takes longer than to pass over the others.
language plpgsql volatile set plan_cache_mode = force_generic_plan
as $$
declare
    moment constant timestamp := pg_catalog.now() at time zone 'utc';
    ids uuid[];
    kind text;
    seen boolean[];
    is_written boolean;
begin
    read_broadcast := false;
    write_broadcast := false;
    read_presence := false;
    write_presence := false;
    perform behalf_realtime.set_topic(topic);
    begin
        ids := behalf_realtime.trial_rows(topic, moment);
        select array[coalesce(bool_or(m.id = ids[1]), false), coalesce(bool_or(m.id = ids[2]), false)] into seen
        from realtime.messages m where m.id = any (ids) and m.inserted_at = moment;
        raise sqlstate 'BHRT1';
    exception
        when sqlstate 'BHRT1' then
            read_broadcast := coalesce(seen[1], false);
            read_presence := coalesce(seen[2], false);
        when others then
            read_failed := sqlstate;
    end;
    foreach kind in array array['broadcast', 'presence'] loop
        is_written := false;
        begin
            insert into realtime.messages (id, topic, extension, private, inserted_at, updated_at)
            values (behalf_realtime.trial_id(), topic, kind, true, moment, moment);
            is_written := found;
            raise sqlstate 'BHRT1';
        exception
            when sqlstate 'BHRT1' then
                null;
            -- A policy said no.
            when insufficient_privilege then
                is_written := false;
            when others then
                is_written := false;
                write_failed := sqlstate;
        end;
        if kind = 'broadcast' then
            write_broadcast := is_written;
        else
            write_presence := is_written;
        end if;
    end loop;
end
$$;
comment on function behalf_realtime.rights(text) is
    'What the caller may do in the private channel of a topic. Where a policy fails, no right, and the code of its error.';

revoke all on function behalf_realtime.set_topic(text), behalf_realtime.trial_id(), behalf_realtime.trial_rows(text, timestamp),
    behalf_realtime.rights(text) from public;
grant execute on function behalf_realtime.set_topic(text) to public;
grant execute on function behalf_realtime.trial_id(), behalf_realtime.trial_rows(text, timestamp), behalf_realtime.rights(text)
    to anon, authenticated, service_role;

-- Triggers on messages ------------------------------------------------------------------------------------------------

-- Runs with the rights of the owner of the database: whoever sends needs none on these tables. Nobody listens where no host was seen
-- for a while, and then no rows pile up.
create function behalf.message_stored() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    if exists (select from behalf.realtime_hosts h where h.seen_at > pg_catalog.now() - interval '10 minutes') then
        insert into behalf.realtime_outbox (id, inserted_at) values (new.id, new.inserted_at);
        -- It only wakes the hosts: every role may listen, and may notify. A transaction that notifies cannot be prepared for a commit
        -- in two phases, so where the server allows these, hosts find the row when they next look, within a second.
        if pg_catalog.current_setting('max_prepared_transactions') = '0'
            -- Whoever stores many messages in a row wakes the hosts after the commit.
            and coalesce(pg_catalog.current_setting('behalf.realtime_quiet', true), '') <> 'on'
        then
            perform pg_catalog.pg_notify('behalf_realtime', '');
        end if;
    end if;
    return null;
end
$$;
comment on function behalf.message_stored() is 'Tells the hosts of a message.';

create function behalf.refuse_trial_row() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    raise insufficient_privilege using
        message = 'rows that only try a policy on realtime.messages cannot be committed';
end
$$;
comment on function behalf.refuse_trial_row() is 'Ends a transaction that would commit a row which only tries a policy.';

revoke all on function behalf.message_stored(), behalf.refuse_trial_row() from public;

create function behalf.watch_messages() returns void
language plpgsql set search_path = ''
as $$
begin
    if not exists (select from pg_catalog.pg_trigger t
                   where t.tgrelid = 'realtime.messages'::regclass and t.tgname = 'behalf_refuses_trial_row') then
        create constraint trigger behalf_refuses_trial_row after insert on realtime.messages
            deferrable initially deferred
            for each row when (new.id between 'be4a1f00-0000-8000-8000-000000000000' and 'be4a1f00-0000-8000-8000-ffffffffffff')
            execute function behalf.refuse_trial_row();
    end if;
    if not exists (select from pg_catalog.pg_trigger t
                   where t.tgrelid = 'realtime.messages'::regclass and t.tgname = 'behalf_tells_hosts') then
        create trigger behalf_tells_hosts after insert on realtime.messages
            for each row when (new.extension = 'broadcast' and new.id
                not between 'be4a1f00-0000-8000-8000-000000000000' and 'be4a1f00-0000-8000-8000-ffffffffffff')
            execute function behalf.message_stored();
    end if;
end
$$;
comment on function behalf.watch_messages() is 'Puts the host''s triggers on realtime.messages.';
revoke all on function behalf.watch_messages() from public;

-- The host has no rights on messages. What it publishes, it reads here.
create function behalf.stored_messages(ids uuid[], times timestamp[])
returns table (id uuid, topic text, private boolean, event text, payload text, binary_payload bytea)
language plpgsql stable security definer
set search_path = '' set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
#variable_conflict use_column
begin
    return query
        select m.id, m.topic, coalesce(m.private, false), m.event, m.payload::text, m.binary_payload
        from unnest(ids, times) with ordinality o (id, at, place)
          join realtime.messages m on m.id = o.id and m.inserted_at = o.at
        where m.extension = 'broadcast'
        order by o.place;
end
$$;
comment on function behalf.stored_messages(uuid[], timestamp[]) is
    'The messages of these keys, in this order. A message that was deleted meanwhile is left out.';
revoke all on function behalf.stored_messages(uuid[], timestamp[]) from public;
grant execute on function behalf.stored_messages(uuid[], timestamp[]) to behalf_host;

-- A table for each day ------------------------------------------------------------------------------------------------

-- Days are made ahead: for a day without a table no message could be stored. If they were not, because no host ran for days, rows go
-- to `messages_default`: the one who sends may make no table, and making one in the app's transaction would lock out all others. A
-- Supabase project gets no such table, because its own server would stumble over the name.

create function behalf.make_message_day(day date) returns void
language plpgsql set search_path = '' set lock_timeout = '2s'
as $$
declare
    name constant text := 'messages_' || pg_catalog.to_char(day, 'YYYY_MM_DD');
    begins constant text := pg_catalog.to_char(day, 'YYYY-MM-DD');
    ends constant text := pg_catalog.to_char(day + 1, 'YYYY-MM-DD');
    owner constant name := (select r.rolname from pg_catalog.pg_class c join pg_catalog.pg_roles r on r.oid = c.relowner
                            where c.oid = 'realtime.messages'::regclass);
begin
    if pg_catalog.to_regclass(pg_catalog.format('realtime.%I', name)) is not null then
        return;
    end if;
    begin
        execute pg_catalog.format('create table realtime.%I partition of realtime.messages for values from (%L) to (%L)',
            name, begins, ends);
    exception when check_violation then
        -- Messages of this day are in the table for all others.
        lock table realtime.messages in access exclusive mode;
        execute pg_catalog.format('create table realtime.%I (like realtime.messages including defaults including constraints)', name);
        execute pg_catalog.format('with moved as (
                delete from realtime.messages_default m where m.inserted_at >= %L and m.inserted_at < %L returning m.*)
            insert into realtime.%I select * from moved', begins, ends, name);
        execute pg_catalog.format('alter table realtime.messages attach partition realtime.%I for values from (%L) to (%L)',
            name, begins, ends);
    end;
    -- Callers have no rights on it. Should somebody give them any, policies of the whole do not hold here.
    execute pg_catalog.format('alter table realtime.%I enable row level security', name);
    begin
        execute pg_catalog.format('alter table realtime.%I owner to %I', name, owner);
    exception when insufficient_privilege then
        -- It stays with the owner of the database, who reads the whole as well.
        null;
    end;
end
$$;
comment on function behalf.make_message_day(date) is 'Makes the table for the messages of a day, unless it is there.';
revoke all on function behalf.make_message_day(date) from public;

-- One change in each call, so that a lock on all messages is held for that alone.
create function behalf.keep_messages(days integer, serves boolean) returns text
language plpgsql security definer set search_path = '' set lock_timeout = '2s'
as $$
declare
    decided constant text := (select d.value from behalf.decisions d where d.name = 'realtime_tables');
    today constant date := (pg_catalog.now() at time zone 'utc')::date;
    first_kept constant date := today - greatest(days, 1);
    wanted date;
    old text;
begin
    if decided is null or decided = 'theirs' or (decided = 'shared' and not serves) then
        return 'nothing';
    end if;
    select today + n into wanted from pg_catalog.generate_series(0, 3) n
    where pg_catalog.to_regclass('realtime.messages_' || pg_catalog.to_char(today + n, 'YYYY_MM_DD')) is null
    order by n limit 1;
    if wanted is not null then
        perform behalf.make_message_day(wanted);
        return 'made';
    end if;
    select c.relname into old
    from pg_catalog.pg_inherits i join pg_catalog.pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'realtime.messages'::regclass and c.relname ~ '^messages_[0-9]{4}_[0-9]{2}_[0-9]{2}$'
      and pg_catalog.replace(pg_catalog.substr(c.relname, 10), '_', '-') < pg_catalog.to_char(first_kept, 'YYYY-MM-DD')
    order by c.relname limit 1;
    if old is not null then
        execute pg_catalog.format('drop table realtime.%I', old);
        return 'dropped';
    end if;
    if decided = 'ours' and pg_catalog.to_regclass('realtime.messages_default') is not null then
        execute 'delete from realtime.messages_default where inserted_at < $1' using first_kept;
    end if;
    return 'nothing';
exception when lock_not_available or insufficient_privilege then
    return 'refused';
end
$$;
comment on function behalf.keep_messages(integer, boolean) is
    'Makes the table of a day that comes, or drops one whose day is longer ago than so many. Says which: made, dropped, nothing, or refused where it may not or somebody holds a lock.';
revoke all on function behalf.keep_messages(integer, boolean) from public;
grant execute on function behalf.keep_messages(integer, boolean) to behalf_host;

-- The role, and the tables of days ------------------------------------------------------------------------------------

-- `behalf migrate` calls this each time: roles belong to the cluster, and a backup that was restored elsewhere comes without them.
-- The table of messages belongs to the role that Supabase's has, where it is there or can be made. Nobody logs in as it, and the host
-- does not become it. The owner of the database inherits from it: whoever writes the app's policies needs the rights of the owner.
create function behalf.share_realtime() returns void
language plpgsql set search_path = pg_catalog
as $$
declare
    me constant text := current_user;
    decided constant text := (select d.value from behalf.decisions d where d.name = 'realtime_tables');
    today constant date := (now() at time zone 'utc')::date;
    tab record;
begin
    if decided is null or decided = 'theirs' then
        return;
    end if;
    if decided = 'ours' then
        begin
            if not exists (select from pg_roles r where r.rolname = 'supabase_realtime_admin') then
                begin
                    create role supabase_realtime_admin nologin noinherit;
                exception when duplicate_object or unique_violation then
                    -- Another database of this cluster is being migrated at the same time and created it first.
                    null;
                end;
            end if;
            -- A role of another service may do more than an owner of these tables should.
            if exists (select from pg_roles r where r.rolname = 'supabase_realtime_admin'
                       and not (r.rolcanlogin or r.rolcreaterole or r.rolsuper or r.rolbypassrls)) then
                if not (select r.rolsuper from pg_roles r where r.rolname = me)
                   and not exists (select from pg_auth_members m
                                   where m.member = me::regrole and m.roleid = 'supabase_realtime_admin'::regrole
                                     and coalesce((to_jsonb(m) ->> 'set_option')::boolean, true)
                                     -- Postgres 15 has no inherit_option: there, whether a role inherits is the role's own.
                                     and coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true)) then
                    begin
                        execute format('grant supabase_realtime_admin to %I%s', me,
                            case when current_setting('server_version_num')::integer >= 160000 then ' with inherit true, set true' else '' end);
                    exception when unique_violation then
                        null;
                    end;
                end if;
                grant usage, create on schema realtime to supabase_realtime_admin;
                for tab in
                    select c.oid::regclass as name
                    from pg_class c
                    where c.relnamespace = 'realtime'::regnamespace and c.relkind in ('r', 'p') and c.relname ~ '^messages(_|$)'
                      and c.relowner <> 'supabase_realtime_admin'::regrole
                loop
                    execute format('alter table %s owner to supabase_realtime_admin', tab.name);
                end loop;
            end if;
        exception when insufficient_privilege then
            raise notice 'the role supabase_realtime_admin cannot be used; the tables of messages stay with %', me;
        end;
    end if;
    begin
        perform behalf.watch_messages();
    exception when insufficient_privilege then
        raise warning 'private channels are closed: no triggers can be put on realtime.messages: %', sqlerrm;
    end;
    begin
        for n in 0 .. 3 loop
            perform behalf.make_message_day(today + n);
        end loop;
    exception when insufficient_privilege or lock_not_available then
        raise warning 'cannot make the tables for the messages of the next days: %', sqlerrm;
    end;
end
$$;
comment on function behalf.share_realtime() is
    'Gives the tables of messages to their role, puts the host''s triggers on them, and makes those of the next days.';
revoke all on function behalf.share_realtime() from public;

-- The schema `realtime` -----------------------------------------------------------------------------------------------

do $do$
declare
    -- By name, because looking up an oid by its name needs rights in the schema.
    messages constant oid := (
        select c.oid from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'realtime' and c.relname = 'messages');
    is_taken constant boolean := messages is not null or exists (
        select from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
        where n.nspname = 'realtime' and p.proname in ('topic', 'send', 'send_binary', 'broadcast_changes'));
    -- What is there is kept where it has this form.
    fits constant boolean := coalesce((
        select c.relkind = 'p' and has_schema_privilege(c.relnamespace, 'usage') and (
            select count(*) = 7 from pg_catalog.pg_attribute a
            where a.attrelid = c.oid and not a.attisdropped and (a.attname, format_type(a.atttypid, null)) in (
                ('id', 'uuid'), ('topic', 'text'), ('extension', 'text'), ('event', 'text'), ('payload', 'jsonb'), ('private', 'boolean'),
                ('inserted_at', 'timestamp without time zone')))
        from pg_catalog.pg_class c where c.oid = messages), false);
    has_bytes boolean;
begin
    if fits then
        begin
            -- The newest form has it, and older ones get it from their own server in this way.
            alter table realtime.messages add column if not exists binary_payload bytea;
        exception when insufficient_privilege then
            null;
        end;
        has_bytes := exists (select from pg_catalog.pg_attribute a where a.attrelid = messages and a.attname = 'binary_payload');
        insert into behalf.decisions (name, value) values ('realtime_tables', case when has_bytes then 'shared' else 'theirs' end);
        perform behalf.share_realtime();
        return;
    end if;
    if is_taken or exists (select from pg_catalog.pg_namespace n
                           where n.nspname = 'realtime' and not (has_schema_privilege(n.oid, 'usage') and has_schema_privilege(n.oid, 'create'))) then
        insert into behalf.decisions (name, value) values ('realtime_tables', 'theirs');
        return;
    end if;
    insert into behalf.decisions (name, value) values ('realtime_tables', 'ours');

    create schema if not exists realtime;
    grant usage on schema realtime to anon, authenticated, service_role;

    -- Times are UTC whatever the session's time zone is, and those of one transaction's messages differ: replay is in their order.
    create table realtime.messages (
        topic text not null,
        extension text not null,
        payload jsonb,
        event text,
        private boolean default false,
        updated_at timestamp without time zone not null default (clock_timestamp() at time zone 'utc'),
        inserted_at timestamp without time zone not null default (clock_timestamp() at time zone 'utc'),
        id uuid not null default gen_random_uuid(),
        binary_payload bytea,
        constraint messages_pkey primary key (id, inserted_at),
        constraint messages_payload_exclusive check (payload is null or binary_payload is null)
    ) partition by range (inserted_at);
    comment on table realtime.messages is
        'Messages that were sent to channels. Its policies say who may use a private channel: SELECT receives, INSERT sends.';
    comment on column realtime.messages.topic is 'The channel, without realtime: before it.';
    comment on column realtime.messages.extension is 'broadcast or presence.';
    create index messages_inserted_at_topic_index on realtime.messages (inserted_at desc, topic)
        where extension = 'broadcast' and private is true;
    create table realtime.messages_default partition of realtime.messages default;
    alter table realtime.messages enable row level security;
    alter table realtime.messages_default enable row level security;
    grant select, insert, update on realtime.messages to anon, authenticated, service_role;

    create function realtime.topic() returns text
    language sql stable
    as $$ select nullif(current_setting('realtime.topic', true), '')::text $$;
    comment on function realtime.topic() is 'The topic of the channel that a policy is asked about.';

    -- They run with the rights of who calls them: the app's policies decide who may send to which channel. A failure is a warning, so
    -- that no change of a row fails because nobody could be told of it.
    create function realtime.send(payload jsonb, event text, topic text, private boolean default true) returns void
    language plpgsql
    as $$
    declare
        made constant uuid := gen_random_uuid();
    begin
        begin
            perform behalf_realtime.set_topic(topic);
            insert into realtime.messages (id, payload, event, topic, private, extension)
            values (made, case when payload ? 'id' then payload else jsonb_set(payload, '{id}', to_jsonb(made)) end,
                    event, topic, private, 'broadcast');
        exception when others then
            raise warning 'WarnSendingBroadcastMessage: %', sqlerrm;
        end;
    end
    $$;
    comment on function realtime.send(jsonb, text, text, boolean) is 'Sends a message to a channel, and gives it an id if it has none.';

    create function realtime.send_binary(payload bytea, event text, topic text, private boolean default true) returns void
    language plpgsql
    as $$
    begin
        begin
            perform behalf_realtime.set_topic(topic);
            insert into realtime.messages (binary_payload, event, topic, private, extension)
            values (payload, event, topic, private, 'broadcast');
        exception when others then
            raise warning 'WarnSendingBroadcastMessage: %', sqlerrm;
        end;
    end
    $$;
    comment on function realtime.send_binary(bytea, text, text, boolean) is 'Sends bytes to a channel.';

    create function realtime.broadcast_changes(topic_name text, event_name text, operation text, table_name text, table_schema text,
        new record, old record, level text default 'ROW') returns void
    language plpgsql
    as $$
    begin
        if level = 'STATEMENT' then
            raise exception 'function can only be triggered for each row, not for each statement';
        end if;
        if operation is null or operation not in ('INSERT', 'UPDATE', 'DELETE') then
            raise exception 'Unexpected operation type: %', operation;
        end if;
        perform realtime.send(
            jsonb_build_object('old_record', old, 'record', new, 'operation', operation, 'table', table_name, 'schema', table_schema),
            event_name, topic_name);
    exception when others then
        raise exception 'Failed to process the row: %', sqlerrm;
    end
    $$;
    comment on function realtime.broadcast_changes(text, text, text, text, text, record, record, text) is
        'Sends a changed row to a private channel; for triggers.';

    grant execute on function realtime.topic(), realtime.send(jsonb, text, text, boolean), realtime.send_binary(bytea, text, text, boolean),
        realtime.broadcast_changes(text, text, text, text, text, record, record, text) to public;

    perform behalf.share_realtime();
end
$do$;

-- The tables whose changes are told to subscribers. Apps add theirs.
do $do$
begin
    if not exists (select from pg_catalog.pg_publication p where p.pubname = 'supabase_realtime') then
        create publication supabase_realtime;
    end if;
exception when insufficient_privilege then
    raise warning 'cannot make the publication supabase_realtime; as the owner of the database: create publication supabase_realtime';
end
$do$;

-- Runs and other events -----------------------------------------------------------------------------------------------
--
-- What users would poll for reaches them as stored private messages: the events of their runs on `chat:<user id>`, where the agent's
-- setting says so, and changes of what they own on `user:<user id>`. Triggers store the messages in the transaction of the change, so
-- there is a message if and only if there is a change, and in the same order. They do nothing where no host that serves channels was
-- seen for ten minutes: whoever was away longer begins at the present anyway. A message that cannot be stored costs its change nothing.

alter table ai.agent_runs add column is_mirrored boolean not null default false;
comment on column ai.agent_runs.is_mirrored is
    'Whether its events are messages of its user''s channel as well; the agent''s setting `mirror_to_channel` when the run began.';

create function behalf.is_realtime_served() returns boolean
language sql stable set search_path = ''
as $$
    select exists (select from behalf.realtime_hosts h where h.seen_at > pg_catalog.now() - interval '10 minutes')
        and exists (select from behalf.decisions d where d.name = 'realtime_tables' and d.value <> 'theirs')
$$;
comment on function behalf.is_realtime_served() is 'Whether a host served channels lately, and messages can be stored.';

-- The hosts are woken by the one that stored the events, after the commit: Postgres lets one transaction at a time commit that
-- notifies, and that would hold up all runs.
create function behalf.mirror_run_events() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    began constant timestamp := pg_catalog.clock_timestamp() at time zone 'utc';
    quiet constant text := pg_catalog.current_setting('behalf.realtime_quiet', true);
begin
    if not exists (select from added e join ai.agent_runs r on r.run_id = e.run_id where r.is_mirrored and r.user_id is not null)
        or not behalf.is_realtime_served()
    then
        return null;
    end if;
    begin
        perform pg_catalog.set_config('behalf.realtime_quiet', 'on', true);
        -- Rows of one batch have times of their own, so that they are replayed in their order.
        insert into realtime.messages (topic, extension, event, payload, private, inserted_at)
        select 'chat:' || r.user_id, 'broadcast', 'run_event',
            pg_catalog.jsonb_build_object('id', e.seq, 'run_id', e.run_id, 'type', e.event ->> 'event',
                'data', case when pg_catalog.octet_length(e.event::text) <= 262144 then e.event end),
            true, began + pg_catalog.row_number() over (order by e.run_id, e.seq) * interval '1 microsecond'
        from added e join ai.agent_runs r on r.run_id = e.run_id
        where r.is_mirrored and r.user_id is not null
        order by e.run_id, e.seq;
    exception when others then
        raise warning 'events of a run are not on its user''s channel: %', sqlerrm;
    end;
    perform pg_catalog.set_config('behalf.realtime_quiet', coalesce(quiet, ''), true);
    return null;
end
$$;
comment on function behalf.mirror_run_events() is
    'Tells a user''s channel the events of a run, as its stream has them. Of an event of more than 256 KiB it tells the number alone.';

create function behalf.tell_owner(owner uuid, event text, what jsonb) returns void
language plpgsql security definer set search_path = ''
as $$
begin
    if owner is null or not behalf.is_realtime_served() then
        return;
    end if;
    begin
        insert into realtime.messages (topic, extension, event, payload, private)
        values ('user:' || owner, 'broadcast', event, what, true);
    exception when others then
        raise warning 'a change is not on its owner''s channel: %', sqlerrm;
    end;
end
$$;
comment on function behalf.tell_owner(uuid, text, jsonb) is 'Tells the channel of a user that something of theirs changed: ids and the new status, no texts.';

create function behalf.tell_source_owner() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    if tg_op = 'DELETE' then
        perform behalf.tell_owner(old.owner_id, 'source', pg_catalog.jsonb_build_object('id', old.id, 'status', 'deleted'));
    else
        perform behalf.tell_owner(new.owner_id, 'source', pg_catalog.jsonb_build_object('id', new.id, 'status', new.extraction_status));
    end if;
    return null;
end
$$;
comment on function behalf.tell_source_owner() is 'Tells a source''s owner how far it is.';

create function behalf.tell_indexed_source_owner() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    one ai.indexed_sources := case when tg_op = 'DELETE' then old else new end;
begin
    -- A source that is being deleted is told by itself.
    perform behalf.tell_owner((select s.owner_id from ai.sources s where s.id = one.source_id), 'indexed_source',
        pg_catalog.jsonb_build_object('id', one.id, 'knowledge_base_id', one.knowledge_base_id, 'source_id', one.source_id,
            'status', case when tg_op = 'DELETE' then 'deleted' else one.index_status end));
    return null;
end
$$;
comment on function behalf.tell_indexed_source_owner() is 'Tells a source''s owner how far a knowledge base has indexed it.';

create function behalf.tell_approval_owner() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    perform behalf.tell_owner(new.user_id, 'approval',
        pg_catalog.jsonb_build_object('id', new.id, 'run_id', new.run_id, 'status', new.status));
    return null;
end
$$;
comment on function behalf.tell_approval_owner() is 'Tells a run''s user that a call waits for an approval, or was decided.';

revoke all on function behalf.is_realtime_served(), behalf.mirror_run_events(), behalf.tell_owner(uuid, text, jsonb),
    behalf.tell_source_owner(), behalf.tell_indexed_source_owner(), behalf.tell_approval_owner() from public;

create trigger mirror_events after insert on ai.run_events referencing new table as added for each statement
    execute function behalf.mirror_run_events();
create trigger tell_owner_of_new after insert on ai.sources for each row execute function behalf.tell_source_owner();
create trigger tell_owner after update of extraction_status on ai.sources for each row
    when (old.extraction_status is distinct from new.extraction_status) execute function behalf.tell_source_owner();
create trigger tell_owner_of_deleted after delete on ai.sources for each row execute function behalf.tell_source_owner();
create trigger tell_owner_of_new after insert on ai.indexed_sources for each row execute function behalf.tell_indexed_source_owner();
create trigger tell_owner after update of index_status on ai.indexed_sources for each row
    when (old.index_status is distinct from new.index_status) execute function behalf.tell_indexed_source_owner();
create trigger tell_owner_of_deleted after delete on ai.indexed_sources for each row execute function behalf.tell_indexed_source_owner();
create trigger tell_owner_of_new after insert on ai.run_approvals for each row execute function behalf.tell_approval_owner();
create trigger tell_owner after update of status on ai.run_approvals for each row
    when (old.status is distinct from new.status) execute function behalf.tell_approval_owner();

-- Every user may read these two channels of their own, and writes to neither. A service that acts by a delegation sees the runs that
-- it began and no others, so it does not read the user's channels.
do $$
begin
    if exists (select from behalf.decisions d where d.name = 'realtime_tables' and d.value = 'ours') then
        create policy behalf_own_channels on realtime.messages for select to authenticated using (
            extension in ('broadcast', 'presence')
            and topic = (select realtime.topic())
            and topic in ('chat:' || (select auth.uid()), 'user:' || (select auth.uid()))
            and coalesce((select auth.jwt() -> 'act' ->> 'sub'), '') not like 'delegation:%');
    end if;
end
$$;
