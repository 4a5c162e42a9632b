-- Privileges: what a tool's login may not do, even where a hostile statement got past the SQL gate (the host's own check of
-- every statement). ARCHITECTURE.md says how the two work together.
--
-- Postgres lets PUBLIC, that is every role, run every built-in function. Some of these functions
--   * change the claims of the session (`set_config`),
--   * run SQL that they get as text (`query_to_xml`, `ts_stat`),
--   * send to other sessions or delay them (`pg_notify`, advisory locks, `pg_sleep`),
--   * show what other sessions do (`pg_stat_…`).
-- They are revoked from PUBLIC, and so are USAGE on the languages SQL and PL/pgSQL (existing functions go on working: USAGE is
-- needed only to create new ones) and temporary tables. Superusers keep all of it. Every role that exists beside the API roles
-- (`anon`, `authenticated`, `service_role`) and the logins keeps by name what it had through PUBLIC, unless callers are members of
-- it.
--
-- The app's own triggers, functions, policies, views and defaults run as the API roles, and some need such a function:
-- `pg_notify` in a trigger, `set_config` for the headers of an answer. `behalf migrate` looks for these after every migration and
-- leaves open what they need; `behalf.left_open` says what and for whom. This file holds the list and the functions that revoke
-- and grant; `behalf migrate` calls them each time, because the app's code changes.
--
-- On a managed Postgres the owner of the database may not be allowed to revoke all of this. `behalf migrate` and `behalf doctor`
-- name what stays open; there the SQL gate is the only protection.

create schema if not exists behalf;
revoke all on schema behalf from public;
grant usage on schema behalf to behalf_host;

-- The one list: `behalf migrate` revokes what it names, and `behalf doctor` checks that it is still revoked.
create or replace function behalf.dangerous_functions()
returns setof regprocedure
language sql stable
as $$
    select p.oid::regprocedure
    from pg_catalog.pg_proc p
    where p.pronamespace = 'pg_catalog'::regnamespace
      and p.prokind <> 'a'
      and (
        p.proname in (
            'set_config', 'pg_notify', 'pg_listening_channels', 'ts_stat', 'ts_rewrite',
            'pg_sleep', 'pg_sleep_for', 'pg_sleep_until',
            'pg_cancel_backend', 'pg_terminate_backend', 'pg_blocking_pids', 'pg_safe_snapshot_blocking_pids',
            'pg_prepared_statement', 'pg_prepared_xact', 'pg_cursor', 'pg_lock_status', 'pg_show_all_settings',
            'pg_show_all_file_settings', 'pg_hba_file_rules', 'pg_ident_file_mappings',
            'pg_export_snapshot', 'pg_logical_emit_message', 'pg_current_logfile',
            'loread', 'lowrite', 'pg_get_shmem_allocations',
            'pg_get_backend_memory_contexts', 'pg_log_backend_memory_contexts'
        )
        or p.proname ~ '^(pg_(try_)?advisory_|lo_|be_lo_|pg_read_|pg_ls_|pg_stat_file|pg_stat_get_|pg_stat_reset|pg_file_|pg_replication_|pg_logical_slot_|pg_create_|pg_drop_|pg_wal_|pg_switch_|pg_backup_|pg_promote|pg_rotate|pg_reload|pg_import_system|pg_get_wal|pg_extension_config_dump|binary_upgrade_|pg_set_|pg_clear_)'
        or p.proname ~ '_to_xml(schema|_and_xmlschema)?$'
      )
$$;
comment on function behalf.dangerous_functions() is
    'Built-in functions that are revoked from PUBLIC so that no tool can run them.';

-- What `behalf migrate` decided ---------------------------------------------------------------------------------------

create table behalf.decisions (
    name text primary key,
    value text not null,
    decided_at timestamptz not null default now()
);
comment on table behalf.decisions is
    'Choices of `behalf migrate` that later ones keep: public_grants (defaults or kept), login_prefix.';

create table behalf.taken_from_public (
    object text primary key
);
comment on table behalf.taken_from_public is
    'What PUBLIC had before it was revoked. Nothing else is ever granted to the API roles again.';

create table behalf.left_open (
    object text primary key references behalf.taken_from_public,
    used_by text[] not null
);
comment on table behalf.left_open is
    'What stays open to the API roles because the app''s own code needs it, and which code. Here the SQL gate holds alone.';

grant select on behalf.decisions, behalf.taken_from_public, behalf.left_open to behalf_host;

-- Revoke, and grant by name -----------------------------------------------------------------------------------------

create function behalf.other_roles(logins text[]) returns setof text
language sql stable
as $$
    with caller (oid, name) as (
        select r.oid, r.rolname::text from pg_catalog.pg_roles r
        where r.rolname = any (array['anon', 'authenticated', 'service_role'] || logins))
    select r.rolname::text
    from pg_catalog.pg_roles r
    where not r.rolsuper
      and r.rolname !~ '^pg_'
      and not exists (select from caller c where c.oid = r.oid)
      -- A role that callers are members of would hand them what it gets.
      and not exists (select from caller c join pg_catalog.pg_roles o using (oid)
                      where not o.rolsuper and pg_catalog.pg_has_role(c.oid, r.oid, 'MEMBER'))
      -- The logins of other databases of this cluster; their host's login carries the comment.
      and not exists (
          select from pg_catalog.pg_roles h
          where pg_catalog.shobj_description(h.oid, 'pg_authid') like 'behalf: logins of %'
            and r.rolname in (h.rolname, pg_catalog.regexp_replace(h.rolname, '_host$', '_tool_anon'),
                              pg_catalog.regexp_replace(h.rolname, '_host$', '_tool_authenticated'),
                              pg_catalog.regexp_replace(h.rolname, '_host$', '_tool_service')))
$$;
comment on function behalf.other_roles(text[]) is
    'The roles beside the API roles and the logins: those of the app''s other clients, and the platform''s own.';

-- What PUBLIC has of it.
create function behalf.open_to_public() returns table (object text, privilege text, what text)
language sql stable
as $$
    select 'function ' || p.oid::regprocedure, 'execute', 'function ' || p.oid::regprocedure
    from behalf.dangerous_functions() f (oid) join pg_catalog.pg_proc p on p.oid = f.oid
    where exists (select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
                  where a.grantee = 0 and a.privilege_type = 'EXECUTE')
    union all
    select 'language ' || l.lanname, 'usage', format('language %I', l.lanname)
    from pg_catalog.pg_language l
    where l.lanname in ('plpgsql', 'sql')
      and exists (select from aclexplode(coalesce(l.lanacl, acldefault('l', l.lanowner))) a where a.grantee = 0)
    union all
    select case a.privilege_type when 'TEMPORARY' then 'temporary' else 'create' end, lower(a.privilege_type),
           format('database %I', d.datname)
    from pg_catalog.pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
    where d.datname = current_database() and a.grantee = 0 and a.privilege_type in ('TEMPORARY', 'CREATE')
    union all
    select 'create in schema public', 'create', 'schema public'
    from pg_catalog.pg_namespace n, aclexplode(n.nspacl) a
    where n.nspname = 'public' and a.grantee = 0 and a.privilege_type = 'CREATE'
$$;

-- Returns what could not be revoked.
create function behalf.close_to_public(host text, tools text[]) returns setof text
language plpgsql
as $$
declare
    others text := (select string_agg(quote_ident(r.name), ', ' order by r.name) from behalf.other_roles(tools || host) r (name));
    item record;
begin
    for item in select * from behalf.open_to_public() loop
        begin
            insert into behalf.taken_from_public values (item.object) on conflict do nothing;
            if others is not null then
                execute format('grant %s on %s to %s', item.privilege, item.what, others);
            end if;
            execute format('revoke %s on %s from public', item.privilege, item.what);
        exception when insufficient_privilege then
            -- It is still open below. For some objects Postgres does not even fail, it only warns.
            null;
        end;
    end loop;
    for item in select o.object from behalf.open_to_public() o loop
        delete from behalf.left_open o where o.object = item.object;
        delete from behalf.taken_from_public t where t.object = item.object;
        return next item.object;
    end loop;
    -- The host tells other hosts which runs have new events. No tool's login gets this function back.
    begin
        execute format('grant execute on function pg_catalog.pg_notify(text, text) to %I', host);
    exception when insufficient_privilege then
        raise warning 'cannot let % announce events; followers on other hosts see them up to two seconds later', host;
    end;
end
$$;
comment on function behalf.close_to_public(text, text[]) is
    'Revokes from PUBLIC what tools must not have, and returns what could not be revoked. The roles beside keep it by name.';

-- `wanted` holds an object of behalf.taken_from_public as each key, and the code that needs it as the value.
create function behalf.leave_open(wanted jsonb) returns void
language plpgsql
as $$
declare
    -- A SECURITY DEFINER function may belong to a role that callers are members of, which kept nothing by name.
    callers text := (
        select string_agg(quote_ident(r.rolname), ', ' order by r.rolname)
        from pg_catalog.pg_roles r
        where not r.rolsuper and r.rolname !~ '^pg_'
          and exists (select from pg_catalog.pg_roles c
                      where c.rolname in ('anon', 'authenticated', 'service_role') and not c.rolsuper
                        and pg_catalog.pg_has_role(c.oid, r.oid, 'MEMBER')));
    item record;
begin
    if callers is null then
        return;
    end if;
    for item in
        select t.object, wanted -> t.object as used_by
        from behalf.taken_from_public t
        where (t.object like 'function %' or t.object = 'temporary')
          and (wanted ? t.object or exists (select from behalf.left_open o where o.object = t.object))
    loop
        begin
            if item.used_by is null then
                execute format('revoke %s from %s', behalf.privilege_on(item.object), callers);
                delete from behalf.left_open o where o.object = item.object;
            else
                execute format('grant %s to %s', behalf.privilege_on(item.object), callers);
                insert into behalf.left_open
                    select item.object, array_agg(u.name) from jsonb_array_elements_text(item.used_by) u (name)
                    on conflict (object) do update set used_by = excluded.used_by;
            end if;
        exception
            when insufficient_privilege then
                raise warning 'cannot change who may use %; a superuser can', item.object;
            when undefined_function then
                -- A newer Postgres has it no more.
                delete from behalf.left_open o where o.object = item.object;
                delete from behalf.taken_from_public t where t.object = item.object;
        end;
    end loop;
end
$$;
comment on function behalf.leave_open(jsonb) is
    'Lets the API roles use what the app''s own code needs, and closes again what it needs no longer.';

create function behalf.privilege_on(object text) returns text
language sql stable
as $$
    select case object when 'temporary' then format('temporary on database %I', current_database())
                       else 'execute on ' || object end
$$;

-- A database that was restored from another one's backup names that one's logins in its grants and policies.
create function behalf.move_grants(old_name text, new_name text) returns void
language plpgsql
as $$
declare
    item record;
    old_role oid := (select r.oid from pg_catalog.pg_roles r where r.rolname = old_name);
begin
    for item in
        select a.privilege_type as privilege,
               case c.relkind when 'S' then 'sequence ' else 'table ' end || c.oid::regclass as what
        from pg_catalog.pg_class c, aclexplode(c.relacl) a where a.grantee = old_role
        union all
        select format('%s (%I)', a.privilege_type, t.attname), 'table ' || t.attrelid::regclass
        from pg_catalog.pg_attribute t, aclexplode(t.attacl) a where a.grantee = old_role and not t.attisdropped
        union all
        select a.privilege_type, 'routine ' || p.oid::regprocedure
        from pg_catalog.pg_proc p, aclexplode(p.proacl) a where a.grantee = old_role
        union all
        select a.privilege_type, format('schema %I', n.nspname)
        from pg_catalog.pg_namespace n, aclexplode(n.nspacl) a where a.grantee = old_role
        union all
        select a.privilege_type, format('database %I', d.datname)
        from pg_catalog.pg_database d, aclexplode(d.datacl) a
        where d.datname = current_database() and a.grantee = old_role
    loop
        begin
            execute format('grant %s on %s to %I', item.privilege, item.what, new_name);
            execute format('revoke %s on %s from %I', item.privilege, item.what, old_name);
        exception when insufficient_privilege then
            raise warning 'cannot give % on % to %', item.privilege, item.what, new_name;
        end;
    end loop;
    for item in
        select p.polname, p.polrelid::regclass as tab,
               (select string_agg(case when u.role = 0 then 'public' when u.role = old_role then quote_ident(new_name)
                                       else u.role::regrole::text end, ', ')
                from unnest(p.polroles) u (role)) as roles
        from pg_catalog.pg_policy p where old_role = any (p.polroles)
    loop
        execute format('alter policy %I on %s to %s', item.polname, item.tab, item.roles);
    end loop;
end
$$;
comment on function behalf.move_grants(text, text) is
    'Gives what one login has in this database to another: grants and the policies that name it.';

revoke execute on function behalf.open_to_public(), behalf.close_to_public(text, text[]), behalf.leave_open(jsonb), behalf.move_grants(text, text) from public;

-- The app's tables --------------------------------------------------------------------------------------------------

-- A new database gets the same grants as on Supabase, for tables that its owner creates later. They let a caller reach a table;
-- which rows the caller sees is decided by the policies of that table. A database that has tables already keeps what it grants:
-- a table without row-level security that callers could not reach must not become readable with the public key.
do $$
begin
    if exists (
        select from pg_catalog.pg_class c
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f')
          and not exists (select from pg_catalog.pg_depend d
                          where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
    ) then
        insert into behalf.decisions (name, value) values ('public_grants', 'kept');
        return;
    end if;
    grant usage on schema public to anon, authenticated, service_role;
    alter default privileges in schema public grant select, insert, update, delete on tables to anon, authenticated, service_role;
    alter default privileges in schema public grant usage on sequences to anon, authenticated, service_role;
    insert into behalf.decisions (name, value) values ('public_grants', 'defaults');
end
$$;
