-- Memories that the service role deletes are an event of the audit log, in its own name and in a user's: who, whose, and how many. The
-- texts are no part of it. One event for each user and statement, because one statement may delete thousands.

create function behalf.audit_forgotten() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    claims jsonb := auth.jwt();
    who text := coalesce(claims -> 'act' ->> 'sub', claims ->> 'role');
begin
    if who is distinct from 'service_role' then
        return null;
    end if;
    insert into ai.audit_events (action, actor, user_id, object, request_id, details)
    select 'memory.deleted', who, auth.uid(), 'user:' || g.user_id, nullif(pg_catalog.current_setting('behalf.request_id', true), ''),
        pg_catalog.jsonb_build_object('user_id', g.user_id, 'count', pg_catalog.count(*))
    from gone g
    -- What is deleted with its agent is told with that.
    where g.agent_id is null or exists (select from ai.agents a where a.id = g.agent_id)
    group by g.user_id order by g.user_id;
    return null;
end
$$;
comment on function behalf.audit_forgotten() is 'Writes the audit events of memories that the service role deletes.';
create trigger audited after delete on ai.memories referencing old table as gone
    for each statement execute function behalf.audit_forgotten();
revoke all on function behalf.audit_forgotten() from public;
