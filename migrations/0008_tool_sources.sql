-- Tools that are not plugins: custom HTTP tools, servers of the Model Context Protocol, and the keys with which a host
-- tells them who is calling.

-- Custom tools stand beside plugins' tools in one list of names. Hosts reload when either changes.
create trigger registry_changed after insert or update or delete on ai.tools
    for each statement execute function ai.bump_registry_version();

-- One name is one tool, whichever table has it. The lock puts changes one after the other, so that two that cannot see
-- each other do not both find the name free.
create function ai.keep_tool_names_apart() returns trigger
language plpgsql as $$
begin
    perform from ai.registry_version for update;
    if (tg_table_name = 'tools' and exists (select from ai.plugin_tools t where t.name = new.name))
        or (tg_table_name = 'plugin_tools' and exists (select from ai.tools t where t.name = new.name)) then
        raise unique_violation using message = format('a tool named %L exists already', new.name);
    end if;
    return new;
end
$$;
create trigger names_apart before insert or update of name on ai.tools
    for each row execute function ai.keep_tool_names_apart();
create trigger names_apart before insert or update of name on ai.plugin_tools
    for each row execute function ai.keep_tool_names_apart();
grant execute on function ai.keep_tool_names_apart() to service_role, behalf_host;

create table ai.agent_mcp_servers (
    id uuid primary key default gen_random_uuid(),
    agent_id uuid not null references ai.agents (id) on delete cascade,
    name text not null check (name ~ '^[a-zA-Z0-9][a-zA-Z0-9_-]{0,31}$'),
    url text not null,
    transport text not null default 'http' check (transport = 'http'),
    headers jsonb not null default '{}' check (jsonb_typeof(headers) = 'object'),
    config jsonb not null default '{}' check (jsonb_typeof(config) = 'object'),
    enabled boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (agent_id, name)
);
comment on table ai.agent_mcp_servers is 'Servers whose tools an agent may call. What they offer is asked for at each run, as the caller.';

create table ai.assertion_keys (
    kid text primary key,
    jwk jsonb not null,
    expires_at timestamptz not null
);
comment on table ai.assertion_keys is
    'Public halves of the keys that hosts sign assertions with. Each host makes its own and renews its row; private halves are never stored.';

do $$
declare
    tab text;
begin
    foreach tab in array array['agent_mcp_servers', 'assertion_keys'] loop
        execute format('alter table ai.%I enable row level security', tab);
        execute format('create policy host_manages on ai.%I to behalf_host using (true) with check (true)', tab);
    end loop;
end
$$;
grant select, insert, update, delete on ai.agent_mcp_servers to service_role, behalf_host;
grant select on ai.assertion_keys to service_role;
grant select, insert, update, delete on ai.assertion_keys to behalf_host;

-- Hosts hear of a change at once; they look every two seconds anyway, so the announcement is a hint and carries nothing.
create or replace function ai.bump_registry_version() returns trigger
language plpgsql as $$
begin
    update ai.registry_version set version = version + 1;
    notify behalf_registry;
    return null;
end
$$;
