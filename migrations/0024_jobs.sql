-- Background jobs: work that a request began and that some host does later, as the one who began it.
--
-- A job waits in a lane, which is a set of kinds of work that share places, such as `documents`. Each lane serves owners in turn:
-- the owner who was served longest ago is next, however many jobs the others have waiting. `behalf.job_owners` has what that needs,
-- so that a claim reads two index entries and no list. docs/adr/0007-jobs.md says why this is no crate's queue.
--
-- One host at a time works on a job. As with runs (0007_runs.sql), a lease says for how long, and `epoch` refuses what a host writes
-- that has lost the job. A job that is done leaves no row. A job that failed for good, or was cancelled, stays for operators to see.
--
-- No role of the API reaches these tables. Who owns a job comes from the claims of the transaction that adds it, and from nowhere else.

create table behalf.jobs (
    id uuid primary key default gen_random_uuid(),
    -- Work of the host's own has places that no caller's jobs can take.
    lane text not null check (lane <> '' and (lane <> 'host' or owner = 'host')),
    kind text not null check (kind <> ''),
    owner text not null,
    user_id uuid,
    identity jsonb,
    payload jsonb not null default '{}',
    unique_key text,
    state text not null default 'ready' check (state in ('ready', 'delayed', 'running', 'dead', 'cancelled')),
    run_at timestamptz not null default now(),
    attempts integer not null default 0,
    max_attempts integer not null default 5 check (max_attempts > 0),
    host_id uuid,
    epoch bigint not null default 0,
    leased_until timestamptz,
    cancel_asked_at timestamptz,
    progress jsonb,
    error_code text,
    error_message text,
    created_at timestamptz not null default now(),
    started_at timestamptz,
    ended_at timestamptz
);
comment on table behalf.jobs is 'Background work that waits, is under way, failed for good or was cancelled.';
comment on column behalf.jobs.owner is '`user:` and an id, `service` for the service role in its own name, or `host`.';
comment on column behalf.jobs.identity is 'The sealed caller as whom the job works; null for work of the host''s own.';
comment on column behalf.jobs.unique_key is 'At most one job of a kind with this key waits or is under way, whoever added it.';
comment on column behalf.jobs.state is 'ready: it waits for a place. delayed: it waits for its time. dead: it failed for good.';
comment on column behalf.jobs.run_at is 'When it became ready last, or becomes ready.';
comment on column behalf.jobs.attempts is 'How often a host began it.';
comment on column behalf.jobs.epoch is 'Counts the hosts that had it; what an earlier one writes is refused.';
comment on column behalf.jobs.progress is 'How far it is: `done`, and `total` where that is known.';

-- In the order in which they were added, so that a job which is tried again keeps its place among its owner's.
create index jobs_ready_idx on behalf.jobs (lane, owner, created_at, id) where state = 'ready';
create index jobs_delayed_idx on behalf.jobs (run_at) where state = 'delayed';
create index jobs_leased_until_idx on behalf.jobs (leased_until) where state = 'running';
create index jobs_ended_at_idx on behalf.jobs (ended_at) where state in ('dead', 'cancelled');
create index jobs_to_cancel_idx on behalf.jobs (cancel_asked_at) where cancel_asked_at is not null and state in ('ready', 'delayed');
create unique index jobs_unique_key_idx on behalf.jobs (kind, unique_key)
    where unique_key is not null and state in ('ready', 'delayed', 'running');

-- The host works in its own name or in a caller's, and a caller's transaction shows that caller's jobs only.
alter table behalf.jobs enable row level security;
create policy host_acts_for_owner on behalf.jobs to behalf_host
    using ((select auth.role()) = 'service_role' or user_id = (select auth.uid()))
    with check ((select auth.role()) = 'service_role' or user_id = (select auth.uid()));
grant select, insert, update, delete on behalf.jobs to behalf_host;

-- Who owns a job --------------------------------------------------------------------------------------------------------

create function behalf.own_job() returns trigger
language plpgsql set search_path = ''
as $$
begin
    if tg_op = 'INSERT' then
        new.user_id := auth.uid();
        new.owner := case
            when new.user_id is not null then 'user:' || new.user_id
            when auth.role() = 'service_role' and auth.jwt() -> 'act' ->> 'sub' = 'host' then 'host'
            when auth.role() = 'service_role' then 'service'
        end;
        if new.owner is null then
            raise insufficient_privilege using message = 'a job needs an owner: a signed-in user, the service role or the host';
        end if;
    else
        new.id := old.id; new.lane := old.lane; new.kind := old.kind; new.owner := old.owner; new.user_id := old.user_id;
        new.identity := old.identity; new.payload := old.payload; new.unique_key := old.unique_key; new.created_at := old.created_at;
    end if;
    return new;
end
$$;
comment on function behalf.own_job() is 'Sets the owner of a job from the bound claims, and keeps what a job is as it was added.';
create trigger own_job before insert or update on behalf.jobs for each row execute function behalf.own_job();

-- What operators do with a job is an event of the audit log, as what they set up is (0011_administration.sql).
create trigger audited_cancel after update on behalf.jobs for each row
    when (old.cancel_asked_at is null and new.cancel_asked_at is not null and auth.role() = 'service_role')
    execute function behalf.audit_change('job', 'id', 'lane,kind,owner,state,cancel_asked_at', '', '', '');
create trigger audited_retry after update on behalf.jobs for each row
    when (old.state in ('dead', 'cancelled') and new.state = 'ready')
    execute function behalf.audit_change('job', 'id', 'lane,kind,owner,state,error_code', '', '', '');

-- Whose turn it is ------------------------------------------------------------------------------------------------------

create table behalf.job_owners (
    lane text not null,
    owner text not null,
    ready integer not null default 0,
    running integer not null default 0,
    served_at timestamptz not null default '-infinity',
    primary key (lane, owner)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
comment on table behalf.job_owners is 'How many jobs each owner has waiting and under way in a lane, and when the owner was served last.';
create index job_owners_turn_idx on behalf.job_owners (lane, served_at) where ready > 0;
grant select, insert, update, delete on behalf.job_owners to behalf_host;

create function behalf.count_job(in_lane text, in_owner text, more_ready integer, more_running integer) returns void
language sql
as $$
    insert into behalf.job_owners as o (lane, owner, ready, running)
    values (in_lane, in_owner, greatest(more_ready, 0), greatest(more_running, 0))
    on conflict (lane, owner) do update
        set ready = greatest(o.ready + more_ready, 0), running = greatest(o.running + more_running, 0),
            served_at = case when more_running > 0 then clock_timestamp() else o.served_at end
$$;
comment on function behalf.count_job(text, text, integer, integer) is
    'Counts jobs of an owner that began or ceased to wait or to be under way. Who got a job was served.';

-- Owners are counted in one order, so that two transactions never wait for each other.
create function behalf.count_jobs() returns trigger
language plpgsql set search_path = ''
as $$
declare
    change record;
begin
    if tg_op = 'INSERT' then
        for change in
            select n.lane, n.owner, count(*) filter (where n.state = 'ready')::integer as ready,
                   count(*) filter (where n.state = 'running')::integer as running
            from new_jobs n group by n.lane, n.owner order by n.lane, n.owner
        loop
            perform behalf.count_job(change.lane, change.owner, change.ready, change.running);
        end loop;
    elsif tg_op = 'DELETE' then
        for change in
            select o.lane, o.owner, -count(*) filter (where o.state = 'ready')::integer as ready,
                   -count(*) filter (where o.state = 'running')::integer as running
            from old_jobs o where o.state in ('ready', 'running') group by o.lane, o.owner order by o.lane, o.owner
        loop
            perform behalf.count_job(change.lane, change.owner, change.ready, change.running);
        end loop;
    else
        for change in
            select c.lane, c.owner, sum(c.ready)::integer as ready, sum(c.running)::integer as running
            from (select n.lane, n.owner, (n.state = 'ready')::integer as ready, (n.state = 'running')::integer as running from new_jobs n
                  union all
                  select o.lane, o.owner, -(o.state = 'ready')::integer, -(o.state = 'running')::integer from old_jobs o) c
            group by c.lane, c.owner having sum(c.ready) <> 0 or sum(c.running) <> 0 order by c.lane, c.owner
        loop
            perform behalf.count_job(change.lane, change.owner, change.ready, change.running);
        end loop;
    end if;
    if tg_op <> 'DELETE' then
        -- Hosts listen, and look by themselves as well.
        perform pg_catalog.pg_notify('behalf_jobs', n.lane) from new_jobs n where n.state = 'ready' group by n.lane;
    end if;
    return null;
end
$$;
comment on function behalf.count_jobs() is 'Keeps behalf.job_owners true, and wakes the hosts.';
create trigger count_added after insert on behalf.jobs referencing new table as new_jobs
    for each statement execute function behalf.count_jobs();
create trigger count_changed after update on behalf.jobs referencing new table as new_jobs old table as old_jobs
    for each statement execute function behalf.count_jobs();
create trigger count_removed after delete on behalf.jobs referencing old table as old_jobs
    for each statement execute function behalf.count_jobs();

create function behalf.claim_job(in_lane text, kinds text[], host uuid, lease_seconds double precision, per_owner integer)
returns setof behalf.jobs
language plpgsql
as $$
declare
    chosen text;
begin
    for tried in 1..16 loop
        select o.owner into chosen from behalf.job_owners o
        where o.lane = in_lane and o.ready > 0 and o.running < per_owner
        order by o.served_at limit 1 for update skip locked;
        exit when not found;
        return query
            update behalf.jobs j
            set state = 'running', host_id = host, epoch = j.epoch + 1, attempts = j.attempts + 1,
                leased_until = now() + lease_seconds * interval '1 second', started_at = coalesce(j.started_at, now())
            where j.id = (select c.id from behalf.jobs c
                          where c.lane = in_lane and c.owner = chosen and c.state = 'ready' and c.kind = any(kinds)
                              and c.cancel_asked_at is null
                          order by c.created_at, c.id limit 1 for update skip locked)
            returning j.*;
        exit when found;
        -- An owner with nothing that this host can do steps back, so that it does not stand in the way of others.
        update behalf.job_owners o set served_at = clock_timestamp() where o.lane = in_lane and o.owner = chosen;
    end loop;
end
$$;
comment on function behalf.claim_job(text, text[], uuid, double precision, integer) is
    'Gives a host the next job of the owner whose turn it is; no row where nothing waits.';

-- Row-level security hides other callers' jobs, and a job with this key may be another caller's.
create function behalf.job_with_key(of_kind text, key text) returns uuid
language sql stable security definer set search_path = ''
as $$
    select id from behalf.jobs where kind = of_kind and unique_key = key and state in ('ready', 'delayed', 'running')
$$;
comment on function behalf.job_with_key(text, text) is 'The id of the job of this kind and key that waits or is under way.';

-- Work of the host's own, at its times ----------------------------------------------------------------------------------

create table behalf.schedules (
    kind text primary key,
    next_at timestamptz not null,
    last_at timestamptz
);
comment on table behalf.schedules is 'When each kind of the host''s own work is added next, by whichever host notices first.';
grant select, insert, update, delete on behalf.schedules to behalf_host;

revoke all on function behalf.own_job(), behalf.count_jobs(), behalf.count_job(text, text, integer, integer),
    behalf.claim_job(text, text[], uuid, double precision, integer), behalf.job_with_key(text, text) from public;
grant execute on function behalf.own_job(), behalf.count_jobs(), behalf.count_job(text, text, integer, integer),
    behalf.claim_job(text, text[], uuid, double precision, integer), behalf.job_with_key(text, text) to behalf_host;
