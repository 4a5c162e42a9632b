-- Server processes of the tools' logins, and those that go on with a statement which the host has given up.
--
-- The host cancels a statement at its deadline. Postgres ends it at the next point at which it looks for that. Until then
-- the host keeps the connection's place taken, and this table tells the operator about it, whichever host it was and
-- whether or not that host still runs.

create table behalf.ending_backends (
    pid integer primary key,
    login name not null,
    -- Tells a process from a later one with the same number. Null where the owner may not see it.
    backend_start timestamptz,
    given_up_at timestamptz not null
);
comment on table behalf.ending_backends is
    'Server processes that did not end when the host gave their statement up. Rows of processes that are gone mean nothing.';
revoke all on behalf.ending_backends from public;
grant select, insert, update, delete on behalf.ending_backends to behalf_host;

-- The host's login sees no other login's processes, so these two functions are SECURITY DEFINER. Both know the tools'
-- processes of this database and no others.

create function behalf.tool_backends()
returns table (pid integer, login name, backend_start timestamptz, state text)
language sql stable security definer set search_path = ''
as $$
    -- The tools' logins do not track activities, but a process always says what it waits for.
    select a.pid, a.usename, a.backend_start,
           case when a.wait_event_type is null then 'running' else 'waiting for ' || a.wait_event_type || ' ' || a.wait_event end
    from pg_catalog.pg_stat_activity a
    where a.datname = pg_catalog.current_database()
      -- The prefix may change, as in a restored backup.
      and a.usename in (select d.value || '_tool_' || r.role
                        from behalf.decisions d, (values ('anon'), ('authenticated'), ('service')) r (role)
                        where d.name = 'login_prefix')
$$;
comment on function behalf.tool_backends() is 'The processes of the tools'' logins in this database.';

create function behalf.end_tool_backend(backend integer, given_up_seconds double precision)
returns void
language plpgsql volatile security definer set search_path = ''
as $$
declare
    found record;
begin
    select * into found from behalf.tool_backends() b where b.pid = backend;
    if found.pid is null then
        return;
    end if;
    insert into behalf.ending_backends (pid, login, backend_start, given_up_at)
    values (found.pid, found.login, found.backend_start, pg_catalog.now() - pg_catalog.make_interval(secs => given_up_seconds))
    on conflict (pid) do update
        set login = excluded.login, backend_start = excluded.backend_start, given_up_at = excluded.given_up_at;
    begin
        perform pg_catalog.pg_terminate_backend(found.pid);
    exception when insufficient_privilege then
        -- A managed server may not let its owner end processes. The statement was cancelled before.
        null;
    end;
end
$$;
comment on function behalf.end_tool_backend(integer, double precision) is
    'Notes a process whose statement was given up and does not end, and asks it to end itself.';

revoke all on function behalf.tool_backends(), behalf.end_tool_backend(integer, double precision) from public;
grant execute on function behalf.tool_backends(), behalf.end_tool_backend(integer, double precision) to behalf_host;
