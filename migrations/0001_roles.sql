-- Who exists in the database.
--
-- Three roles carry the app's rights, as on Supabase: `anon`, `authenticated`, `service_role`. Nobody logs in as one of
-- them. A tool's statements arrive through a login per role (`behalf_tool_…`) that is a member of that one role, inherits
-- nothing and owns nothing, so that `reset role` or a forged `set role` leads nowhere. The host's own tables are reached
-- through `behalf_host`, which is bound by row-level security as well.
--
-- Roles belong to the cluster, not to one database, so each is made only where it is missing. Passwords are set by
-- `behalf migrate` from the connection settings, never here.

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
                -- Another database of this cluster was migrated at the same moment.
                null;
            end;
        end if;
    end loop;
end
$$;

grant anon to behalf_tool_anon;
grant authenticated to behalf_tool_authenticated;
grant service_role to behalf_tool_service;
