-- The audit log of administration: each change of what operators set up is an event, with who made it, the state before and the
-- state after.
--
-- Triggers write the events, in the transaction of the change. So no change escapes them: not one that a new route of the host
-- makes, and not one that the service role makes with SQL of its own. Values that may be secret never reach the log: of JSON
-- columns it keeps names, of addresses the origin.

-- A value as the log may keep it: each scalar that is not named in `shown` is replaced, and so are lists.
create function behalf.redacted(name text, value jsonb, shown text[]) returns jsonb
language plpgsql immutable set search_path = '' as $$
begin
    return case
        when value is null or jsonb_typeof(value) = 'null' then value
        when jsonb_typeof(value) = 'object' then coalesce(
            (select jsonb_object_agg(field.key, behalf.redacted(field.key, field.value, shown)) from jsonb_each(value) field), '{}')
        when jsonb_typeof(value) = 'array' then to_jsonb(format('[%s values]', jsonb_array_length(value)))
        when name = any (shown) then value
        -- The path and the query of an address may hold a secret.
        when name in ('url', 'endpoint', 'base_url')
            then coalesce(to_jsonb(substring(value #>> '{}' from '^[A-Za-z]+://[^/?#@]+(?=[/?#]|$)')), '"[redacted]"')
        else '"[redacted]"'
    end;
end
$$;

-- Arguments: what the object is called; the columns of its key; the columns that are shown; those that are redacted; those of
-- which only the name is told where they change; names that redacted columns may show. With a seventh argument, only changes
-- that the service role makes in its own name are events: the tables hold work of users, who have their own.
create function behalf.audit_change() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
    shown text[] := string_to_array(tg_argv[2], ',');
    redacted text[] := string_to_array(tg_argv[3], ',');
    named text[] := string_to_array(tg_argv[4], ',');
    inner_shown text[] := string_to_array(tg_argv[5], ',');
    claims jsonb := auth.jwt();
    before jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
    after jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
    changed text[];
begin
    if tg_nargs > 6 and (claims ->> 'role' is distinct from 'service_role' or claims ? 'act') then
        return null;
    end if;
    -- What is deleted with its agent or run, perhaps a thousand sessions, is told with that.
    if tg_nargs > 6 and tg_op = 'DELETE' and (case tg_table_name
        when 'agent_sessions' then not exists (select from ai.agents a where a.id = (before ->> 'agent_id')::uuid)
        when 'run_feedback' then not exists (select from ai.agent_runs r where r.run_id = before ->> 'run_id')
    end) then
        return null;
    end if;
    if tg_op = 'UPDATE' then
        select array_agg(path order by path collate "C") into changed from (
            select name as path from unnest(shown || redacted || named) name
            where before -> name is distinct from after -> name
                and not (name = any (redacted)
                    and jsonb_typeof(before -> name) = 'object' and jsonb_typeof(after -> name) = 'object')
            union all
            select name || '.' || field from unnest(redacted) name, lateral (
                select jsonb_object_keys(before -> name) where jsonb_typeof(before -> name) = 'object'
                union
                select jsonb_object_keys(after -> name) where jsonb_typeof(after -> name) = 'object') fields (field)
            where jsonb_typeof(before -> name) = 'object' and jsonb_typeof(after -> name) = 'object'
                and before -> name -> field is distinct from after -> name -> field) paths;
        if changed is null then
            return null;
        end if;
    end if;
    insert into ai.audit_events (action, actor, user_id, object, request_id, details) values (
        tg_argv[0] || '.' || case tg_op when 'INSERT' then 'created' when 'UPDATE' then 'changed' else 'deleted' end,
        coalesce(claims -> 'act' ->> 'sub', claims ->> 'sub', claims ->> 'role', session_user),
        auth.uid(),
        tg_argv[0] || ':' || (select string_agg(coalesce(after, before) ->> name, '/' order by place)
            from unnest(string_to_array(tg_argv[1], ',')) with ordinality key (name, place)),
        nullif(current_setting('behalf.request_id', true), ''),
        jsonb_build_object(
            'before', behalf.audit_view(before, shown, redacted, inner_shown),
            'after', behalf.audit_view(after, shown, redacted, inner_shown),
            'changed', to_jsonb(changed)));
    return null;
end
$$;

create function behalf.audit_view(state jsonb, shown text[], redacted text[], inner_shown text[]) returns jsonb
language sql immutable set search_path = '' as $$
    select case when state is not null then
        coalesce((select jsonb_object_agg(name, state -> name) from unnest(shown) name), '{}')
        || coalesce((select jsonb_object_agg(name, behalf.redacted(name, state -> name, inner_shown)) from unnest(redacted) name), '{}')
    end
$$;

revoke all on function behalf.redacted(text, jsonb, text[]), behalf.audit_change(),
    behalf.audit_view(jsonb, text[], text[], text[]) from public;

create trigger audited after insert or update or delete on ai.plugins for each row execute function behalf.audit_change(
    'plugin', 'id', 'name,version,digest,enabled,bundled,signer,grants,requested', 'settings', '', '');
create trigger audited after insert or update or delete on ai.tools for each row execute function behalf.audit_change(
    'tool', 'id', 'name,type', 'config', 'description,input_schema', 'method,timeout_seconds,identity');
create trigger audited after insert or update or delete on ai.agents for each row execute function behalf.audit_change(
    'agent', 'id', 'name,model', 'settings', 'system_prompt',
    'temperature,max_tokens,max_steps,reasoning_effort,timeout_seconds,max_context_tokens,max_total_tokens,fallback_model,approval_timeout_seconds');
create trigger audited after insert or update or delete on ai.agent_tools for each row execute function behalf.audit_change(
    'agent_tool', 'id', 'agent_id,tool_type,tool_name,tool_id,callee_id,approval', 'config_override', '', '');
create trigger audited after insert or update or delete on ai.agent_mcp_servers for each row execute function behalf.audit_change(
    'mcp_server', 'id', 'agent_id,name,transport,enabled', 'url,headers,config', '', 'timeout_seconds,identity,approval');
create trigger audited after insert or update or delete on ai.provider_keys for each row execute function behalf.audit_change(
    'provider_key', 'agent_id,provider', 'agent_id,provider,last_four,key_id', 'base_url', 'sealed', '');

create trigger audited after insert or delete on ai.agent_sessions for each row execute function behalf.audit_change(
    'session', 'session_id', 'session_id,agent_id,user_id', '', '', '', 'service role');
create trigger audited after update of cancel_requested_at on ai.agent_runs for each row execute function behalf.audit_change(
    'run', 'run_id', 'run_id,agent_id,user_id,cancel_requested_at', '', '', '', 'service role');
create trigger audited after update of status on ai.run_approvals for each row execute function behalf.audit_change(
    'approval', 'id', 'run_id,user_id,tool_name,status', '', 'reason', '', 'service role');
create trigger audited after insert or update or delete on ai.run_feedback for each row execute function behalf.audit_change(
    'feedback', 'id', 'run_id,user_id,rating', '', 'comment', '', 'service role');
