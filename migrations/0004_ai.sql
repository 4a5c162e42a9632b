-- The host's own tables. Management (plugins, tools, agents) belongs to the service role; conversations, events and the
-- audit log belong to users, and row-level security says so for every role that can reach them, the host's included:
-- `behalf_host` sees a user's rows only in a transaction that carries that user's claims.

create schema if not exists ai;
create extension if not exists vector;

-- Plugins -----------------------------------------------------------------------------------------------------------

create table ai.component (
    digest bytea primary key check (octet_length(digest) = 32),
    bytes bytea not null,
    created_at timestamptz not null default now()
);
comment on table ai.component is 'WebAssembly components by SHA-256 of their bytes; never native code.';

create table ai.plugins (
    id uuid primary key default gen_random_uuid(),
    name text not null unique check (name ~ '^[a-z][a-z0-9-]{0,63}$'),
    version text not null,
    digest bytea not null references ai.component (digest),
    enabled boolean not null default true,
    bundled boolean not null default false,
    grants jsonb not null default '{}',
    settings jsonb not null default '{}',
    imports jsonb not null default '[]',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table ai.plugin_tools (
    name text primary key check (name ~ '^[a-z][a-z0-9_]{0,63}$'),
    plugin_id uuid not null references ai.plugins (id) on delete cascade,
    position integer not null,
    definition jsonb not null
);
create index on ai.plugin_tools (plugin_id);

-- Every host keeps the registry in memory and reloads it when this number moves.
create table ai.registry_version (
    only_row boolean primary key default true check (only_row),
    version bigint not null default 1
);
insert into ai.registry_version default values on conflict do nothing;

create function ai.bump_registry_version() returns trigger
language plpgsql as $$
begin
    update ai.registry_version set version = version + 1;
    return null;
end
$$;
create trigger registry_changed after insert or update or delete on ai.plugins
    for each statement execute function ai.bump_registry_version();
create trigger registry_changed after insert or update or delete on ai.plugin_tools
    for each statement execute function ai.bump_registry_version();

-- Agents and custom tools -------------------------------------------------------------------------------------------

create table ai.agents (
    id uuid primary key default gen_random_uuid(),
    name text not null,
    model text,
    system_prompt text,
    settings jsonb not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table ai.tools (
    id uuid primary key default gen_random_uuid(),
    name text not null unique check (name ~ '^[a-zA-Z][a-zA-Z0-9_-]{0,63}$'),
    description text not null,
    type text not null,
    input_schema jsonb not null,
    config jsonb not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table ai.agent_tools (
    id uuid primary key default gen_random_uuid(),
    agent_id uuid not null references ai.agents (id) on delete cascade,
    tool_type text not null,
    tool_name text not null,
    tool_id uuid references ai.tools (id) on delete cascade,
    config_override jsonb not null default '{}',
    created_at timestamptz not null default now(),
    unique (agent_id, tool_name)
);

-- Conversations -----------------------------------------------------------------------------------------------------

create table ai.agent_sessions (
    id uuid primary key default gen_random_uuid(),
    session_id text not null unique check (char_length(session_id) between 1 and 255),
    agent_id uuid not null references ai.agents (id) on delete cascade,
    user_id uuid,
    session_data jsonb not null default '{}',
    metadata jsonb not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index on ai.agent_sessions (user_id, agent_id, updated_at desc);

create table ai.agent_runs (
    id uuid primary key default gen_random_uuid(),
    run_id text not null unique,
    session_id text not null references ai.agent_sessions (session_id) on delete cascade,
    agent_id uuid not null,
    user_id uuid,
    actor text not null,
    status text not null default 'running'
        check (status in ('pending', 'running', 'completed', 'failed', 'cancelled')),
    model text,
    input_messages jsonb not null default '[]',
    output_messages jsonb not null default '[]',
    content text,
    steps jsonb not null default '[]',
    tool_calls jsonb not null default '[]',
    usage jsonb not null default '{}',
    error text,
    started_at timestamptz not null default now(),
    completed_at timestamptz,
    created_at timestamptz not null default now()
);
create index on ai.agent_runs (session_id, created_at);
create index on ai.agent_runs (user_id, created_at desc);

create table ai.run_events (
    run_id text not null references ai.agent_runs (run_id) on delete cascade,
    seq bigint not null,
    user_id uuid,
    event jsonb not null,
    created_at timestamptz not null default now(),
    primary key (run_id, seq)
);

-- Audit -------------------------------------------------------------------------------------------------------------

create table ai.tool_calls (
    call_id uuid primary key,
    actor text not null,
    user_id uuid,
    role text not null,
    tool text not null,
    plugin text,
    plugin_digest bytea,
    agent_id uuid,
    session_id text,
    run_id text,
    request_id text,
    arguments_sha256 bytea not null,
    statements jsonb not null default '[]',
    transaction_ids xid8[] not null default '{}',
    egress jsonb not null default '[]',
    started_at timestamptz not null,
    duration_us bigint,
    guest_us bigint,
    memory_bytes bigint,
    outcome text not null,
    blame text check (blame in ('guest', 'caller', 'host')),
    detail text
);
comment on table ai.tool_calls is
    'One row per tool call. Statements are fingerprints with rows and verdicts; values, arguments and results are never kept.';
comment on column ai.tool_calls.outcome is
    '`started` stands until the call ends; a write whose host died keeps it, and `transaction_ids` with pg_xact_status() tell how it ended.';
create index on ai.tool_calls (user_id, started_at desc);
create index on ai.tool_calls (started_at desc);
create index on ai.tool_calls (run_id) where run_id is not null;

-- Who sees what -----------------------------------------------------------------------------------------------------

do $$
declare
    tab text;
begin
    foreach tab in array array['component', 'plugins', 'plugin_tools', 'registry_version', 'agents', 'tools', 'agent_tools'] loop
        execute format('alter table ai.%I enable row level security', tab);
        execute format('create policy host_manages on ai.%I to behalf_host using (true) with check (true)', tab);
    end loop;
    foreach tab in array array['agent_sessions', 'agent_runs', 'run_events', 'tool_calls'] loop
        execute format('alter table ai.%I enable row level security', tab);
        execute format($p$create policy owner_reads on ai.%I for select to authenticated
            using (user_id = (select auth.uid()))$p$, tab);
        execute format($p$create policy host_acts_for_owner on ai.%I to behalf_host
            using ((select auth.role()) = 'service_role' or user_id = (select auth.uid()))
            with check ((select auth.role()) = 'service_role' or user_id = (select auth.uid()))$p$, tab);
    end loop;
end
$$;

grant usage on schema ai to authenticated, service_role, behalf_host;
grant select on ai.agent_sessions, ai.agent_runs, ai.run_events, ai.tool_calls to authenticated;
grant select, insert, update, delete on all tables in schema ai to service_role, behalf_host;
-- The audit log is written once and finished once; nobody but its owner deletes from it.
revoke delete on ai.tool_calls from service_role, behalf_host;
revoke insert, update on ai.tool_calls from service_role;
grant execute on function ai.bump_registry_version() to service_role, behalf_host;
