-- What runs used is deleted after a while, where an operator says so.

-- The host may add rows of usage and delete none: whoever got hold of its login could hide what was used. This function deletes what is
-- older than some days only, a month at least, from the oldest on.
create function behalf.prune_usage(days integer, most bigint) returns bigint
language sql security definer set search_path = ''
as $$
    with oldest as (
        select u.id from ai.usage u
        where u.occurred_at < now() - make_interval(days => greatest(days, 31))
        order by u.occurred_at limit most
    ), deleted as (
        delete from ai.usage u using oldest o where u.id = o.id returning 1
    )
    select count(*) from deleted
$$;
comment on function behalf.prune_usage(integer, bigint) is
    'Deletes old rows of usage: at most so many, the oldest first. Returns how many.';

revoke all on function behalf.prune_usage(integer, bigint) from public;
grant execute on function behalf.prune_usage(integer, bigint) to behalf_host;
