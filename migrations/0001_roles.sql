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
