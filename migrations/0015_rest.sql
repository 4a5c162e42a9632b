-- The log of apps' requests to /rest/v1, and the trigger that tells hosts of changed tables.

create table ai.app_requests (
    request_id uuid primary key,
    started_at timestamptz not null,
    actor text not null,
    user_id uuid,
    role text not null,
    method text not null,
    shape text not null,
    rows bigint,
    status integer,
    code text,
    transaction_id xid8,
    duration_us bigint not null
);
comment on table ai.app_requests is
    'Requests to /rest/v1: who, what kind, how many rows, how it ended; never values. REST_AUDIT_READS says how many of the reads, REST_AUDIT_DAYS how long.';
comment on column ai.app_requests.request_id is
    'The header x-request-id of the answer: a UUIDv7, so `order by request_id desc` has the newest first.';
comment on column ai.app_requests.actor is 'As in ai.tool_calls.';
comment on column ai.app_requests.shape is 'The kind of request with its tables, functions, columns and operators.';
comment on column ai.app_requests.status is 'The HTTP status; null where the client went away.';
comment on column ai.app_requests.code is 'The code of the error: of PostgREST''s kind, or an SQLSTATE.';
comment on column ai.app_requests.transaction_id is 'The transaction that wrote. Unlike the row of a tool call, this one is stored after it.';
create index on ai.app_requests (user_id, request_id desc);

alter table ai.app_requests enable row level security;
create policy owner_reads on ai.app_requests for select to authenticated using (user_id = (select auth.uid()));
create policy host_acts_for_owner on ai.app_requests to behalf_host
    using ((select auth.role()) = 'service_role' or user_id = (select auth.uid()))
    with check ((select auth.role()) = 'service_role' or user_id = (select auth.uid()));
create policy delegated_sees_its_own on ai.app_requests as restrictive to authenticated, behalf_host
    using (coalesce((select auth.jwt() -> 'act' ->> 'sub'), '') not like 'delegation:%'
        or actor = (select auth.jwt() -> 'act' ->> 'sub'));
grant select on ai.app_requests to authenticated, service_role;
grant select, insert, delete on ai.app_requests to behalf_host;

-- Changes of tables and functions --------------------------------------------------------------------------------------

-- Hosts read the catalogue again when they hear of a change. Only a superuser may create an event trigger; where `behalf migrate`
-- runs as another role, hosts look every two seconds instead.
--
-- The functions are SECURITY DEFINER, because whoever changes a table need not be allowed to notify. A failure of theirs must not
-- be a failure of the change.

create function behalf.tell_of_change() returns event_trigger
language plpgsql security definer set search_path = '' as $$
begin
    if exists (select from pg_catalog.pg_event_trigger_ddl_commands() c
               where c.schema_name is null or c.schema_name not like 'pg\_temp%') then
        perform pg_catalog.pg_notify('behalf_schema', '');
    end if;
exception when others then
    null;
end
$$;

create function behalf.tell_of_drop() returns event_trigger
language plpgsql security definer set search_path = '' as $$
begin
    if exists (select from pg_catalog.pg_event_trigger_dropped_objects() o where not o.is_temporary) then
        perform pg_catalog.pg_notify('behalf_schema', '');
    end if;
exception when others then
    null;
end
$$;
revoke all on function behalf.tell_of_change(), behalf.tell_of_drop() from public;

do $$
begin
    create event trigger behalf_schema_changed on ddl_command_end execute function behalf.tell_of_change();
    create event trigger behalf_schema_dropped on sql_drop execute function behalf.tell_of_drop();
exception when insufficient_privilege then
    raise notice 'no event trigger: hosts look for changed tables every two seconds';
end
$$;
