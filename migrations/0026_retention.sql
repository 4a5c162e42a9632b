-- What grows is deleted after a while, where an operator says so (docs/operations.md lists what and after how long).
--
-- Each statement deletes some rows only, so that nobody waits long for it, and finds them by an index.

-- Runs ------------------------------------------------------------------------------------------------------------------

-- The pieces in which an answer arrived are of use to whoever reads its stream again. What an ended run shows is in its other events
-- and in its row.
alter table ai.agent_runs add column has_pieces boolean not null default true;
comment on column ai.agent_runs.has_pieces is 'False once the pieces in which its answer arrived were deleted from ai.run_events.';
create index agent_runs_with_pieces on ai.agent_runs (completed_at) where has_pieces and completed_at is not null;

create index agent_sessions_unused on ai.agent_sessions (updated_at);

-- The audit log ---------------------------------------------------------------------------------------------------------

-- The host may not delete from the log: whoever got hold of its login could hide what they did. These functions delete what is older
-- than some days only, one at least, and from the oldest on. Both tables have their rows in the order of time, so no index is needed.

create function behalf.prune_tool_calls(days integer, after text, most bigint, out gone bigint, out last text)
language sql security definer set search_path = ''
as $$
    with oldest as (
        select c.call_id, c.started_at from ai.tool_calls c
        where after is null or c.call_id > after::uuid
        order by c.call_id limit most
    ), deleted as (
        delete from ai.tool_calls c using oldest o
        where c.call_id = o.call_id and o.started_at < now() - make_interval(days => greatest(days, 1))
        returning 1
    )
    select (select count(*) from deleted), (select o.call_id::text from oldest o order by o.call_id desc limit 1)
$$;
comment on function behalf.prune_tool_calls(integer, text, bigint) is
    'Deletes old rows of the log of tool calls: at most so many, after the one with this id. Returns how many, and the last id.';

create function behalf.prune_audit_events(days integer, after text, most bigint, out gone bigint, out last text)
language sql security definer set search_path = ''
as $$
    with oldest as (
        select e.id, e.occurred_at from ai.audit_events e
        where after is null or e.id > after::bigint
        order by e.id limit most
    ), deleted as (
        delete from ai.audit_events e using oldest o
        where e.id = o.id and o.occurred_at < now() - make_interval(days => greatest(days, 1))
        returning 1
    )
    select (select count(*) from deleted), (select o.id::text from oldest o order by o.id desc limit 1)
$$;
comment on function behalf.prune_audit_events(integer, text, bigint) is
    'Deletes old rows of the log of everything else: at most so many, after the one with this id. Returns how many, and the last id.';

revoke all on function behalf.prune_tool_calls(integer, text, bigint), behalf.prune_audit_events(integer, text, bigint) from public;
grant execute on function behalf.prune_tool_calls(integer, text, bigint), behalf.prune_audit_events(integer, text, bigint)
    to behalf_host;

comment on table ai.idempotency_keys is
    'What requests with an Idempotency-Key began or were answered; kept for a day, or as long as RETENTION_IDEMPOTENCY says.';
