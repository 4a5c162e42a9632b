-- The database roles: three that carry the app's rights, and the logins that the host uses.
--
-- `anon`, `authenticated` and `service_role` carry rights, as on Supabase. Nobody can log in as one of them.
--
-- The host runs the statements of a tool through one login for each of these roles (`behalf_tool_…`). Such a login is a
-- member of that one role only, inherits nothing and owns nothing. A hostile `reset role` or `set role` therefore gains no
-- rights.
--
-- The host reaches its own tables through `behalf_host`. Row-level security applies to this login too.
--
-- Roles belong to the whole cluster, not to one database. Each role is created only where it is missing. `behalf migrate`
-- sets the passwords afterwards, from its connection settings, so no password stands in a migration.
--
-- The names of the logins begin with a prefix, here `behalf`. A second database of a cluster needs logins of its own: with the
-- setting LOGIN_PREFIX, `behalf migrate` replaces `behalf_host` and `behalf_tool_` in every migration before it runs it.
--
-- `behalf migrate` runs this file each time, so everything in it may run again.

do $$
declare
    wanted record;
begin
    for wanted in
        select * from (values
            ('anon', 'nologin noinherit'),
            ('authenticated', 'nologin noinherit'),
            ('service_role', 'nologin noinherit bypassrls'),
            ('behalf_tool_anon', 'login noinherit'),
            ('behalf_tool_authenticated', 'login noinherit'),
            ('behalf_tool_service', 'login noinherit'),
            ('behalf_host', 'login noinherit')
        ) as t (name, options)
    loop
        if not exists (select from pg_roles where rolname = wanted.name) then
            begin
                execute format('create role %I %s', wanted.name, wanted.options);
            exception when duplicate_object or unique_violation then
                -- Another database of this cluster is being migrated at the same time and created the role first.
                null;
            end;
        end if;
    end loop;
end
$$;

grant anon to behalf_tool_anon;
grant authenticated to behalf_tool_authenticated;
grant service_role to behalf_tool_service;

do $$
begin
    execute format('grant connect on database %I to behalf_tool_anon, behalf_tool_authenticated, behalf_tool_service, behalf_host',
                   current_database());
exception when insufficient_privilege then
    raise warning 'cannot let the logins connect; grant them CONNECT on the database as its owner';
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
        -- A very large sort or join would fill the disk with temporary files long before its deadline. What an operator set
        -- stays: this file runs at every migrate.
        begin
            if not exists (select from pg_catalog.pg_db_role_setting s join pg_catalog.pg_roles r on r.oid = s.setrole,
                                unnest(s.setconfig) one (setting)
                           where r.rolname = login and s.setdatabase = 0 and one.setting like 'temp\_file\_limit=%') then
                execute format('alter role %I set temp_file_limit = %L', login, '512MB');
            end if;
        exception when insufficient_privilege then
            raise warning 'cannot bound the temporary files of %', login;
        end;
    end loop;
end
$$;
