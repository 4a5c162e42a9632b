-- Agents: what they are, what each may call (tools and MCP servers), and their own keys for model providers.
--
-- The service role manages agents. End users have no rights here; the host reads an agent when one of its users runs it.

create table ai.agents (
    id uuid primary key default gen_random_uuid(),
    name text not null,
    model text,
    system_prompt text,
    settings jsonb not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table ai.agents is 'The agents of this project.';
comment on column ai.agents.settings is 'Limits and options of the agent''s runs, such as `max_steps`; docs/runs.md lists them.';

alter table ai.agents enable row level security;
create policy host_manages on ai.agents to behalf_host using (true) with check (true);
grant select, insert, update, delete on ai.agents to service_role, behalf_host;

-- What an agent may call --------------------------------------------------------------------------------------------

create table ai.agent_tools (
    id uuid primary key default gen_random_uuid(),
    agent_id uuid not null references ai.agents (id) on delete cascade,
    tool_type text not null,
    tool_name text not null,
    tool_id uuid references ai.tools (id) on delete cascade,
    callee_id uuid references ai.agents (id) on delete cascade,
    approval text not null default 'never' check (approval in ('never', 'always', 'writes')),
    config_override jsonb not null default '{}',
    created_at timestamptz not null default now(),
    unique (agent_id, tool_name)
);
comment on table ai.agent_tools is 'The tools that an agent may call: tools of plugins, custom tools, and other agents.';
comment on column ai.agent_tools.tool_type is '`builtin` or `wasm` for a plugin''s tool, `custom`, or `agent`.';
comment on column ai.agent_tools.tool_id is 'The custom tool; null for a plugin''s tool, which is found by its name.';
comment on column ai.agent_tools.callee_id is 'The agent that this tool asks.';
comment on column ai.agent_tools.approval is 'Whether somebody has to agree to a call: never, always, or where the tool does not say that it only reads.';
comment on column ai.agent_tools.config_override is 'Arguments that replace those of the model, and rules that deny calls.';

alter table ai.agent_tools enable row level security;
create policy host_manages on ai.agent_tools to behalf_host using (true) with check (true);
grant select, insert, update, delete on ai.agent_tools to service_role, behalf_host;

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
comment on column ai.agent_mcp_servers.name is 'Part of the name of each of the server''s tools, so it is short.';
comment on column ai.agent_mcp_servers.headers is 'Fixed headers of each request. They may hold secrets.';
comment on column ai.agent_mcp_servers.config is 'Options of the server, such as `timeout_seconds`, and approvals and rules for its tools.';

alter table ai.agent_mcp_servers enable row level security;
create policy host_manages on ai.agent_mcp_servers to behalf_host using (true) with check (true);
grant select, insert, update, delete on ai.agent_mcp_servers to service_role, behalf_host;

-- Keys for model providers ------------------------------------------------------------------------------------------

create table ai.provider_keys (
    agent_id uuid not null references ai.agents (id) on delete cascade,
    provider text not null check (provider in ('openai', 'anthropic', 'gemini', 'ollama')),
    base_url text check (char_length(base_url) <= 2000),
    key_id text not null,
    nonce bytea not null check (octet_length(nonce) = 12),
    sealed bytea not null,
    last_four text,
    created_at timestamptz not null default now(),
    primary key (agent_id, provider)
);
comment on table ai.provider_keys is
    'AES-256-GCM under BEHALF_SECRETS_KEY, bound to agent, provider and address; the host''s alone, not the service role''s.';
comment on column ai.provider_keys.base_url is 'The only address that the key is sent to; null for the provider''s public one.';
comment on column ai.provider_keys.key_id is 'Which secrets key encrypted this row, so that the secrets key can be replaced.';
comment on column ai.provider_keys.sealed is 'The encrypted key and its authentication tag.';
comment on column ai.provider_keys.last_four is 'The end of the key, so that people can tell keys apart; null where the key is short.';

-- The service role has no grant, so that its key does not give access to the keys of providers.
alter table ai.provider_keys enable row level security;
create policy host_manages on ai.provider_keys to behalf_host using (true) with check (true);
grant select, insert, update, delete on ai.provider_keys to behalf_host;
