-- Privileges: what a tool's login may not do, even where a hostile statement got past the SQL gate (the host's own check of
-- every statement). ARCHITECTURE.md says how the two work together.
--
-- Postgres lets PUBLIC, that is every role, run every built-in function. Some of these functions
--   * change the claims of the session (`set_config`),
--   * run SQL that they get as text (`query_to_xml`, `ts_stat`),
--   * send to other sessions or delay them (`pg_notify`, advisory locks, `pg_sleep`),
--   * show what other sessions do (`pg_stat_…`).
-- This file revokes them from PUBLIC; superusers keep them. It also revokes USAGE on the languages SQL and PL/pgSQL. Existing
-- functions in these languages go on working: USAGE is needed only to create new ones.
--
-- On a managed Postgres the owner of the database may not be allowed to revoke all of this. What cannot be revoked is
-- reported as a warning here and by `behalf doctor`; there the SQL gate is the only protection.

create schema if not exists behalf;
revoke all on schema behalf from public;
grant usage on schema behalf to behalf_host;

-- One list for two readers: this file revokes what it names, and `behalf doctor` checks that it is still revoked.
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

-- What is revoked ---------------------------------------------------------------------------------------------------

do $$
declare
    target regprocedure;
    language text;
begin
    for target in select behalf.dangerous_functions() loop
        begin
            execute format('revoke execute on function %s from public', target);
        exception when insufficient_privilege then
            raise warning 'cannot revoke % from PUBLIC; the SQL gate has to hold alone', target;
        end;
    end loop;

    foreach language in array array['plpgsql', 'sql'] loop
        begin
            execute format('revoke usage on language %I from public', language);
        exception when insufficient_privilege then
            raise warning 'cannot revoke language % from PUBLIC; the SQL gate has to hold alone', language;
        end;
    end loop;

    begin
        execute format('revoke temporary, create on database %I from public', current_database());
        execute format('grant connect on database %I to behalf_tool_anon, behalf_tool_authenticated, behalf_tool_service, behalf_host',
                       current_database());
        revoke create on schema public from public;
    exception when insufficient_privilege then
        raise warning 'cannot revoke TEMPORARY from PUBLIC; the SQL gate has to hold alone';
    end;
end
$$;

-- What is granted back, by name -------------------------------------------------------------------------------------

-- On Supabase other services use the same database, and some of them need set_config.
do $$
declare
    platform_role text;
begin
    foreach platform_role in array array['authenticator', 'supabase_admin', 'supabase_auth_admin', 'supabase_storage_admin',
                                         'supabase_realtime_admin', 'postgres'] loop
        if exists (select from pg_roles where rolname = platform_role) then
            execute format('grant execute on function pg_catalog.set_config(text, text, boolean) to %I', platform_role);
        end if;
    end loop;
exception when insufficient_privilege then
    raise warning 'cannot grant set_config back to the platform''s own roles';
end
$$;

-- The host tells other hosts which runs have new events. No tool's login gets this function back.
do $$
begin
    grant execute on function pg_catalog.pg_notify(text, text) to behalf_host;
exception when insufficient_privilege then
    raise warning 'cannot let behalf_host announce events; followers on other hosts see them up to two seconds later';
end
$$;

-- Settings of the tools' logins -------------------------------------------------------------------------------------

do $$
declare
    login text;
begin
    foreach login in array array['behalf_tool_anon', 'behalf_tool_authenticated', 'behalf_tool_service'] loop
        -- The SQL gate resolves names and reads strings as under these settings; the server has to do the same.
        execute format('alter role %I set search_path = public', login);
        execute format('alter role %I set standard_conforming_strings = on', login);
        -- The text of a tool's statement must not show in pg_stat_activity.
        begin
            execute format('alter role %I set track_activities = off', login);
        exception when insufficient_privilege then
            raise warning 'cannot turn track_activities off for %', login;
        end;
        -- A very large sort or join would fill the disk with temporary files long before its deadline.
        begin
            execute format('alter role %I set temp_file_limit = %L', login, '512MB');
        exception when insufficient_privilege then
            raise warning 'cannot bound the temporary files of %', login;
        end;
    end loop;
end
$$;

-- The app's tables --------------------------------------------------------------------------------------------------

-- The same grants as on Supabase, for tables that exist and for those that the owner creates later. They let a caller reach
-- a table; which rows the caller sees is decided by the policies of that table.
grant usage on schema public to anon, authenticated, service_role;
grant select, insert, update, delete on all tables in schema public to anon, authenticated, service_role;
grant usage on all sequences in schema public to anon, authenticated, service_role;
alter default privileges in schema public grant select, insert, update, delete on tables to anon, authenticated, service_role;
alter default privileges in schema public grant usage on sequences to anon, authenticated, service_role;
