-- Memory: what agents remember of their users.
--
-- A memory belongs to one user, and to one agent or to all of that user's agents. Nobody but the user sees it; there is no policy by
-- which an app could share it. The host adds and changes memories in the user's name (`behalf.keep_memory`), users read and delete them.

create table ai.memories (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null default auth.uid(),
    agent_id uuid references ai.agents (id) on delete cascade,
    actor text default (auth.jwt() -> 'act' ->> 'sub'),
    text text not null check (text <> '' and octet_length(text) <= 8000),
    meta jsonb not null default '{}' check (jsonb_typeof(meta) = 'object' and octet_length(meta::text) <= 16384),
    words tsvector not null generated always as (to_tsvector('pg_catalog.english'::regconfig, text)) stored,
    embedding_model smallint references ai.embedding_models (id),
    embedding vector,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint memories_have_a_model check ((embedding is null) = (embedding_model is null))
);
comment on table ai.memories is 'What agents remember of their users.';
comment on column ai.memories.agent_id is 'The agent that remembers it; every agent of the user where null.';
comment on column ai.memories.actor is 'Who acted in the user''s name, such as a delegation; the user where null.';
comment on column ai.memories.meta is 'What the tool added to the text.';
create index on ai.memories (user_id, created_at desc, id);
create index on ai.memories (agent_id);

alter table ai.memories enable row level security;
create policy owner_reads on ai.memories for select to authenticated using (user_id = (select auth.uid()));
create policy owner_removes on ai.memories for delete to authenticated using (user_id = (select auth.uid()));
create policy host_acts_for_owner on ai.memories to behalf_host
    using ((select auth.role()) = 'service_role' or user_id = (select auth.uid()))
    with check ((select auth.role()) = 'service_role' or user_id = (select auth.uid()));
create policy delegated_sees_its_own on ai.memories as restrictive to authenticated, behalf_host
    using (coalesce((select auth.jwt() -> 'act' ->> 'sub'), '') not like 'delegation:%'
        or actor = (select auth.jwt() -> 'act' ->> 'sub'));
grant select, delete on ai.memories to authenticated;
grant select, insert, update, delete on ai.memories to service_role, behalf_host;

-- Bounds ------------------------------------------------------------------------------------------------------------------

-- A search reads all memories of one user. With the rights of the owner of the database, because a delegation sees only its own, and
-- nobody else may lock by numbers of their choice.
create function behalf.lock_memories(of_user uuid) returns void
language plpgsql security definer set search_path = ''
as $$
begin
    perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('behalf.memories ' || of_user, 0));
end
$$;
comment on function behalf.lock_memories(uuid) is 'Lets one transaction at a time add memories of a user.';

create function behalf.bound_memories() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    perform behalf.lock_memories(new.user_id);
    if (select count(*) from ai.memories m where m.user_id = new.user_id) >= 2000 then
        raise program_limit_exceeded using message = 'this user has 2000 memories, and no more may be added';
    end if;
    return new;
end
$$;
comment on function behalf.bound_memories() is 'Lets a user have 2,000 memories at most.';
create trigger bound before insert on ai.memories for each row execute function behalf.bound_memories();

-- Keeping ------------------------------------------------------------------------------------------------------------------

-- The same text is kept once: where it differs only in case, spaces and the marks at its ends, the newer one replaces the older. The
-- likeness of vectors decides nothing here: "is allergic to peanuts" and "is not allergic to peanuts" are alike by 0.97.
create function behalf.memory_key(text text) returns text
language sql immutable set search_path = ''
as $$ select pg_catalog.lower(pg_catalog.btrim(pg_catalog.regexp_replace(text, '\s+', ' ', 'g'), ' .!?')) $$;
comment on function behalf.memory_key(text) is 'What two texts of the same memory have in common.';

-- The name of a type is looked up in the path, and a project may have the extension in any schema.
do $do$
begin
    execute (
        select format($f$
create function behalf.keep_memory(agent uuid, said text, more jsonb, model smallint, numbers text) returns uuid
language plpgsql set search_path = %I
as $body$
declare
    kept uuid;
begin
    -- Two calls at the same time would both find that the text is new.
    perform behalf.lock_memories(auth.uid());
    update ai.memories m
    set text = said, meta = more, embedding_model = model, embedding = numbers::vector, updated_at = pg_catalog.now()
    where m.id = (
        select o.id from ai.memories o
        where o.user_id = auth.uid() and o.agent_id is not distinct from agent
            and behalf.memory_key(o.text) = behalf.memory_key(said)
        order by o.created_at, o.id limit 1)
    returning m.id into kept;
    if kept is null then
        insert into ai.memories (agent_id, text, meta, embedding_model, embedding)
        values (agent, said, more, model, numbers::vector)
        returning id into kept;
    end if;
    return kept;
end
$body$
$f$, n.nspname)
        from pg_catalog.pg_extension e join pg_catalog.pg_namespace n on n.oid = e.extnamespace
        where e.extname = 'vector');
end
$do$;
comment on function behalf.keep_memory(uuid, text, jsonb, smallint, text) is 'Keeps a text for the caller, and returns its id.';

-- Users who are gone -------------------------------------------------------------------------------------------------------

create function behalf.forget_deleted_user() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    delete from ai.memories m where m.user_id = new.user_id;
    return null;
end
$$;
comment on function behalf.forget_deleted_user() is 'Deletes what agents remembered of a user who was deleted.';
create trigger forget_memories after insert or update on behalf.deleted_users
    for each row execute function behalf.forget_deleted_user();

revoke all on function behalf.lock_memories(uuid), behalf.bound_memories(), behalf.memory_key(text), behalf.forget_deleted_user(),
    behalf.keep_memory(uuid, text, jsonb, smallint, text) from public;
grant execute on function behalf.lock_memories(uuid), behalf.memory_key(text), behalf.keep_memory(uuid, text, jsonb, smallint, text)
    to behalf_host;
