-- Claims that do not slow down with the number of claims before them.
--
-- Each claim moves its owner to the end of the turns, which leaves a dead entry at their beginning, in the index that claims read from
-- there. Vacuum removes such entries, but not sooner than the oldest snapshot of the database ends. So a lane remembers where its turns
-- begin, and claims read from there on.

-- Postgres writes no index entries for a row whose indexed columns stay as they are. `ready` was one of them, as a condition of the
-- index, and changes with each job that is added.
alter table behalf.job_owners add column waits boolean not null generated always as (ready > 0) stored;
comment on column behalf.job_owners.waits is 'Whether a job of the owner waits.';
drop index behalf.job_owners_turn_idx;
create index job_owners_turn_idx on behalf.job_owners (lane, served_at) where waits;
alter table behalf.job_owners set (autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);
alter table behalf.jobs set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

create table behalf.job_lanes (
    lane text primary key,
    first_at timestamptz not null,
    looked_at timestamptz not null
) with (fillfactor = 10);
comment on table behalf.job_lanes is 'Where the turns of a lane begin.';
comment on column behalf.job_lanes.first_at is 'Owners with an earlier `served_at` were all served or busy when somebody looked last.';
comment on column behalf.job_lanes.looked_at is 'When a claim last looked at all of them.';
grant select, insert, update, delete on behalf.job_lanes to behalf_host;

-- Who begins to wait, or has a place again, comes first, but not before the beginning of the turns: claims would not see it there.
-- In this language the statement is planned once in a session.
create or replace function behalf.count_job(in_lane text, in_owner text, more_ready integer, more_running integer) returns void
language plpgsql
as $$
begin
    insert into behalf.job_owners as o (lane, owner, ready, running, served_at)
    values (in_lane, in_owner, greatest(more_ready, 0), greatest(more_running, 0),
            coalesce((select l.first_at from behalf.job_lanes l where l.lane = in_lane), '-infinity'))
    on conflict (lane, owner) do update
        set ready = greatest(o.ready + more_ready, 0), running = greatest(o.running + more_running, 0),
            served_at = case when more_running > 0 then clock_timestamp()
                             when more_running < 0 or o.ready = 0 then greatest(o.served_at, excluded.served_at)
                             else o.served_at end;
end
$$;

create or replace function behalf.claim_job(in_lane text, kinds text[], host uuid, lease_seconds double precision, per_owner integer)
returns setof behalf.jobs
language plpgsql
as $$
declare
    chosen record;
    beginning timestamptz;
    looks boolean;
begin
    -- Once a second somebody looks at all owners: one of them may have been locked when the turns went by.
    select l.first_at, l.looked_at < clock_timestamp() - interval '1 second' into beginning, looks
    from behalf.job_lanes l where l.lane = in_lane;
    looks := coalesce(looks, true);
    if looks then
        beginning := '-infinity';
    end if;
    for tried in 1..16 loop
        select o.owner, o.served_at into chosen from behalf.job_owners o
        where o.lane = in_lane and o.waits and o.running < per_owner and o.served_at >= beginning
        order by o.served_at limit 1 for update skip locked;
        if not found then
            exit when beginning = '-infinity';
            beginning := '-infinity';
            continue;
        end if;
        if looks then
            looks := false;
            perform from behalf.job_lanes l where l.lane = in_lane for update skip locked;
            if found then
                update behalf.job_lanes l set first_at = chosen.served_at, looked_at = clock_timestamp() where l.lane = in_lane;
            else
                insert into behalf.job_lanes values (in_lane, chosen.served_at, clock_timestamp()) on conflict do nothing;
            end if;
        end if;
        return query
            update behalf.jobs j
            set state = 'running', host_id = host, epoch = j.epoch + 1, attempts = j.attempts + 1,
                leased_until = now() + lease_seconds * interval '1 second', started_at = coalesce(j.started_at, now())
            where j.id = (select c.id from behalf.jobs c
                          where c.lane = in_lane and c.owner = chosen.owner and c.state = 'ready' and c.kind = any(kinds)
                              and c.cancel_asked_at is null
                          order by c.created_at, c.id limit 1 for update skip locked)
            returning j.*;
        exit when found;
        -- An owner with nothing that this host can do steps back, so that it does not stand in the way of others.
        update behalf.job_owners o set served_at = clock_timestamp() where o.lane = in_lane and o.owner = chosen.owner;
    end loop;
end
$$;
