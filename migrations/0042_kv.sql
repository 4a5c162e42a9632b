-- The schema `behalf_kv`: small stores of plugins, values by their keys. The table has a schema of its own, because a plugin can be
-- granted `ai`: no grant of a schema leads to the entries of another plugin.
--
-- The entries that a transaction reaches are those that its host named: before each statement on them, the host sets `behalf.kv` for the
-- transaction, a JSON object with the plugin whose call it is, whether its callers share one store, and the bounds of a store. Nobody
-- else can set it, because SET is no statement of a tool or of an app, and `set_config` is revoked. Whose store it is comes from the
-- claims, as everywhere.

create schema behalf_kv;
grant usage on schema behalf_kv to anon, authenticated, service_role, behalf_host;

create function behalf_kv.setting() returns jsonb
language sql stable parallel safe
as $$ select nullif(pg_catalog.current_setting('behalf.kv', true), '')::pg_catalog.jsonb $$;
comment on function behalf_kv.setting() is 'What the host named for this transaction; null where it named nothing.';

create function behalf_kv.plugin() returns uuid
language sql stable parallel safe
as $$ select (behalf_kv.setting() ->> 'plugin')::pg_catalog.uuid $$;
comment on function behalf_kv.plugin() is 'The plugin whose call it is.';

-- A service that acts by a delegation has a store of its own: it sees what it began itself.
create function behalf_kv.actor() returns text
language sql stable parallel safe
as $$
    select a.sub from (select auth.jwt() -> 'act' ->> 'sub' as sub) a
    where a.sub like 'delegation:%' and not (behalf_kv.setting() -> 'shared')::pg_catalog.bool
$$;
comment on function behalf_kv.actor() is 'The delegation by which the caller acts; null where the user calls, and in a shared store.';

create function behalf_kv.owner() returns uuid
language sql stable parallel safe
as $$ select auth.uid() where not (behalf_kv.setting() -> 'shared')::pg_catalog.bool $$;
comment on function behalf_kv.owner() is 'The user whose store it is; null for the store that callers share.';

create function behalf_kv.store() returns text
language sql stable parallel safe
as $$
    select case (behalf_kv.setting() -> 'shared')::pg_catalog.bool
        when true then ''
        when false then behalf_kv.owner()::pg_catalog.text || coalesce(' ' || behalf_kv.actor(), '')
    end
$$;
comment on function behalf_kv.store() is 'The store that the call reaches; null where it reaches none.';

create table behalf_kv.entries (
    plugin_id uuid not null default behalf_kv.plugin(),
    store text not null default behalf_kv.store(),
    key text collate "C" not null check (key <> '' and octet_length(key) <= 256),
    value text not null check (octet_length(value) <= 65536),
    bytes integer not null generated always as (octet_length(key) + octet_length(value)) stored,
    user_id uuid default behalf_kv.owner(),
    actor text default behalf_kv.actor(),
    updated_at timestamptz not null default now(),
    primary key (plugin_id, store, key),
    constraint shared_entries_belong_to_nobody check ((store = '') = (user_id is null))
);
comment on table behalf_kv.entries is 'Values that plugins keep, by their keys.';
comment on column behalf_kv.entries.store is 'Whose store it is: a user''s, a delegation''s, or empty for the one that all callers of the plugin share.';
comment on column behalf_kv.entries.value is 'JSON, as the plugin wrote it.';
comment on column behalf_kv.entries.actor is 'The delegation that wrote it in the user''s name; null for the user.';
create index on behalf_kv.entries (user_id) where user_id is not null;

alter table behalf_kv.entries enable row level security;
create policy store_of_the_call on behalf_kv.entries to anon, authenticated, service_role
    using (plugin_id = (select behalf_kv.plugin()) and store = (select behalf_kv.store()))
    with check (plugin_id = (select behalf_kv.plugin()) and store = (select behalf_kv.store())
        and user_id is not distinct from (select behalf_kv.owner()) and actor is not distinct from (select behalf_kv.actor()));
create policy host_acts_for_owner on behalf_kv.entries to behalf_host
    using ((select auth.role()) = 'service_role' or user_id = (select auth.uid()))
    with check (false);
create policy delegated_sees_its_own on behalf_kv.entries as restrictive to authenticated, behalf_host
    using (store = '' or coalesce((select auth.jwt() -> 'act' ->> 'sub'), '') not like 'delegation:%'
        or actor = (select auth.jwt() -> 'act' ->> 'sub'));
grant select, insert, update, delete on behalf_kv.entries to anon, authenticated, service_role;
grant select, delete on behalf_kv.entries to behalf_host;

-- Bounds ------------------------------------------------------------------------------------------------------------------

-- A statement that writes looks for room first, and says so where there is none. Two transactions that do not see each other's entries
-- could both find the last place free, so the commit looks again, one commit of a store after the other. A lock from the first write on
-- would be simpler, and would let one slow call hold up everybody who shares a store.
create function behalf_kv.bound() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    most jsonb := behalf_kv.setting();
    entries bigint;
    bytes bigint;
begin
    perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('behalf.kv ' || new.plugin_id || ' ' || new.store, 0));
    select pg_catalog.count(*), pg_catalog.sum(e.bytes) into entries, bytes
    from behalf_kv.entries e where e.plugin_id = new.plugin_id and e.store = new.store;
    -- Without a setting it is no call of a tool, and the largest bounds of a grant hold.
    if entries > least(coalesce((most ->> 'entries')::bigint, 10000), 10000)
        or bytes > least(coalesce((most ->> 'bytes')::bigint, 16777216), 16777216) then
        raise program_limit_exceeded
            using message = 'the store of the plugin is full, because another call wrote to it at the same time; remove entries first';
    end if;
    return null;
end
$$;
comment on function behalf_kv.bound() is 'Lets a store have as many entries and bytes as its grant says.';
create constraint trigger bound after insert or update on behalf_kv.entries
    deferrable initially deferred for each row execute function behalf_kv.bound();

-- What is gone ------------------------------------------------------------------------------------------------------------

create function behalf_kv.forget_user() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    delete from behalf_kv.entries e where e.user_id = new.user_id;
    return null;
end
$$;
comment on function behalf_kv.forget_user() is 'Deletes what plugins kept for a user who was deleted.';
create trigger forget_entries after insert or update on behalf.deleted_users
    for each row execute function behalf_kv.forget_user();

create function behalf_kv.forget_plugin() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    delete from behalf_kv.entries e where e.plugin_id = old.id;
    return null;
end
$$;
comment on function behalf_kv.forget_plugin() is 'Deletes what a plugin kept that was removed.';
create trigger forget_entries after delete on ai.plugins for each row execute function behalf_kv.forget_plugin();

revoke all on function behalf_kv.bound(), behalf_kv.forget_user(), behalf_kv.forget_plugin() from public;
revoke all on function behalf_kv.setting(), behalf_kv.plugin(), behalf_kv.actor(), behalf_kv.owner(), behalf_kv.store() from public;
grant execute on function behalf_kv.setting(), behalf_kv.plugin(), behalf_kv.actor(), behalf_kv.owner(), behalf_kv.store()
    to anon, authenticated, service_role, behalf_host;
