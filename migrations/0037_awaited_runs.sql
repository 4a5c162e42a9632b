-- Runs whose client waits for an answer and sent no key: a client that lost its connection sends the request again, and gets the run
-- that its first request began. And runs that wait for a person, which take no place.

-- Hosts that are alive ------------------------------------------------------------------------------------------------------

-- A host holds an advisory lock of the number that it drew, in the session that renews its leases. The lock ends with the session, so
-- the end of a host shows at once, and not when its leases are over. Both functions are `security definer`, because advisory locks
-- are revoked from the host's login as from all others.
create function ai.hold_host(host bigint) returns boolean
    language sql security definer set search_path = ''
    as $$ select pg_catalog.pg_try_advisory_lock(host) $$;
comment on function ai.hold_host(bigint) is 'Says that this session is the host''s of this number. It may be said again.';
-- Several may ask at the same time, so they try a shared lock. It ends with their transaction.
create function ai.is_host_gone(host bigint) returns boolean
    language sql security definer set search_path = ''
    as $$ select pg_catalog.pg_try_advisory_xact_lock_shared(host) $$;
comment on function ai.is_host_gone(bigint) is 'Whether no session says that it is the host''s of this number.';
revoke all on function ai.hold_host(bigint), ai.is_host_gone(bigint) from public;
grant execute on function ai.hold_host(bigint), ai.is_host_gone(bigint) to behalf_host;

-- Runs that somebody waits for ------------------------------------------------------------------------------------------------

create table ai.awaited_runs (
    run_id text primary key references ai.agent_runs (run_id) on delete cascade,
    user_id uuid,
    scope bytea not null check (octet_length(scope) = 32),
    host bigint
);
comment on table ai.awaited_runs is
    'Runs whose answer a client waits for, until it is given. A client that lost its connection sends the same request again.';
comment on column ai.awaited_runs.user_id is 'As in the run.';
comment on column ai.awaited_runs.scope is 'SHA-256 of caller, method, path and body: the same request has the same.';
comment on column ai.awaited_runs.host is 'The host whose client waits, by the number that it drew; null where the client went away.';
create index on ai.awaited_runs (scope);

alter table ai.awaited_runs enable row level security;
create policy host_acts_for_owner on ai.awaited_runs to behalf_host
    using ((select auth.role()) = 'service_role' or user_id = (select auth.uid()))
    with check ((select auth.role()) = 'service_role' or user_id = (select auth.uid()));
grant select, insert, update, delete on ai.awaited_runs to behalf_host;

-- Runs that wait for a person ---------------------------------------------------------------------------------------------------

-- A run that waits until somebody agrees to a call may wait for days. It counts among those that go on at once no longer than it
-- works. The rest is as in 0007_runs.sql.
create or replace function ai.lock_and_count_runs(for_user uuid) returns bigint
    language plpgsql security definer set search_path = '' as $$
begin
    perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('behalf runs ' || coalesce(for_user::text, ''), 0));
    return (select pg_catalog.count(*) from ai.agent_runs r
        where r.status in ('pending', 'running') and r.parent_run_id is null and (for_user is null or r.user_id = for_user)
            and not exists (select from ai.run_approvals a
                where a.run_id = r.run_id and a.status = 'pending' and a.expires_at > pg_catalog.now()));
end
$$;
create index run_approvals_pending on ai.run_approvals (run_id) where status = 'pending';
