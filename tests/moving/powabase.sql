-- A Powabase project: the schema `ai` with agents, tools, sources, a knowledge base and conversations, and an app that follows the
-- platform's cookbook. A superuser runs this after platform.sql, and becomes whoever would do each part.

set search_path = public, extensions;

-- The schema ai, as the platform makes it -----------------------------------------------------------------------------

create schema ai authorization supabase_admin;
grant usage on schema ai to anon, authenticated, service_role, postgres;

create table ai.sources (
    id uuid primary key default gen_random_uuid(),
    name varchar(255),
    file_type varchar(255) not null,
    storage_path varchar(1024) not null,
    extraction_status varchar(50) default 'pending',
    derivatives jsonb default '{}',
    metadata jsonb default '{}',
    auto_metadata jsonb default '{}',
    error_message text,
    celery_task_id varchar(255),
    content_hash varchar(64),
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    error_code varchar(64)
);
create table ai.knowledge_bases (
    id uuid primary key default gen_random_uuid(),
    name varchar(255) not null,
    description text,
    indexing_config jsonb default '{"strategy": "chunk_embed", "chunk_size": 500, "overlap": 50}',
    retrieval_config jsonb default '{"method": "hybrid", "top_k": 5}',
    created_at timestamptz default now(),
    updated_at timestamptz default now()
);
create table ai.indexed_sources (
    id uuid primary key default gen_random_uuid(),
    knowledge_base_id uuid references ai.knowledge_bases on delete cascade,
    source_id uuid references ai.sources on delete cascade,
    index_status varchar(50) default 'pending',
    indexed_at timestamptz,
    stats jsonb default '{}',
    error_message text,
    indexing_config_snapshot jsonb,
    celery_task_id varchar(255),
    created_at timestamptz default now(),
    last_dispatched_at timestamptz default now(),
    attempts integer default 0,
    unique (knowledge_base_id, source_id)
);
create table ai.chunks (
    id uuid primary key default gen_random_uuid(),
    indexed_source_id uuid references ai.indexed_sources on delete cascade,
    knowledge_base_id uuid not null references ai.knowledge_bases on delete cascade,
    source_id uuid not null references ai.sources on delete cascade,
    text text not null,
    chunk_index integer,
    start_char integer,
    end_char integer,
    tokens integer,
    meta jsonb default '{}',
    created_at timestamptz default now()
);
create table ai.embeddings (
    id uuid primary key default gen_random_uuid(),
    item_id uuid not null,
    item_table varchar(50) not null,
    indexed_source_id uuid references ai.indexed_sources on delete cascade,
    knowledge_base_id uuid not null references ai.knowledge_bases on delete cascade,
    source_id uuid not null references ai.sources on delete cascade,
    embedding_model varchar(255) not null,
    dims smallint not null,
    embedding vector not null,
    created_at timestamptz default now(),
    unique (item_id, embedding_model)
);
create table ai.agents (
    id uuid primary key default gen_random_uuid(),
    name varchar(255) not null,
    model varchar(255) not null default 'gpt-4o-mini',
    system_prompt text,
    settings jsonb default '{}',
    created_at timestamptz default now(),
    updated_at timestamptz default now()
);
create table ai.agent_sessions (
    id uuid primary key default gen_random_uuid(),
    session_id varchar(255) unique not null,
    agent_id uuid references ai.agents on delete set null,
    user_id uuid,
    session_data jsonb default '{}',
    metadata jsonb default '{}',
    created_at timestamptz default now(),
    updated_at timestamptz default now()
);
create table ai.context_handlers (
    id uuid primary key default gen_random_uuid(),
    query text not null,
    status varchar(50) default 'pending',
    knowledge_base_configs jsonb not null default '[]',
    max_context_tokens integer default 32000,
    retrieved_context jsonb,
    metadata jsonb default '{}',
    errors jsonb default '[]',
    formatted_context text,
    created_at timestamptz default now(),
    completed_at timestamptz
);
create table ai.agent_runs (
    id uuid primary key default gen_random_uuid(),
    session_id uuid references ai.agent_sessions on delete cascade,
    run_id varchar(255) unique not null,
    context_handler_id uuid references ai.context_handlers on delete set null,
    status varchar(50) default 'pending',
    input_messages jsonb,
    output_messages jsonb,
    content text,
    retrieved_context jsonb,
    error text,
    started_at timestamptz,
    completed_at timestamptz,
    created_at timestamptz default now(),
    parent_orchestration_run_id uuid,
    steps integer,
    events jsonb default '[]',
    reasoning_steps jsonb,
    parent_workflow_execution_id uuid,
    agent_id uuid,
    model varchar(128),
    prompt_tokens integer,
    completion_tokens integer,
    reasoning_tokens integer,
    cached_tokens integer,
    total_tokens integer,
    tool_call_count integer,
    tool_call_error_count integer,
    tool_call_duration_ms_total integer
);
create table ai.message_citations (
    id uuid primary key default gen_random_uuid(),
    run_id uuid not null references ai.agent_runs on delete cascade,
    citation_key smallint not null,
    item_id uuid,
    source_id uuid references ai.sources on delete set null,
    text_excerpt text,
    meta jsonb default '{}',
    created_at timestamptz default now(),
    unique (run_id, citation_key)
);
create table ai.tools (
    id uuid primary key default gen_random_uuid(),
    name varchar(255) not null,
    description text not null,
    type varchar(50) not null,
    input_schema jsonb not null,
    config jsonb default '{}',
    created_at timestamptz default now(),
    updated_at timestamptz default now()
);
create table ai.agent_tools (
    id uuid primary key default gen_random_uuid(),
    agent_id uuid not null references ai.agents on delete cascade,
    tool_id uuid references ai.tools on delete cascade,
    tool_type varchar(50) not null,
    tool_name varchar(255) not null,
    config_override jsonb default '{}',
    created_at timestamptz default now()
);
create table ai.agent_knowledge_bases (
    id uuid primary key default gen_random_uuid(),
    agent_id uuid not null references ai.agents on delete cascade,
    knowledge_base_id uuid not null references ai.knowledge_bases on delete cascade,
    config jsonb default '{}',
    created_at timestamptz default now(),
    unique (agent_id, knowledge_base_id)
);
create table ai.agent_mcp_servers (
    id uuid primary key default gen_random_uuid(),
    agent_id uuid not null references ai.agents on delete cascade,
    name varchar(255) not null,
    transport varchar(50) not null default 'http',
    url text not null,
    headers jsonb default '{}',
    config jsonb default '{}',
    enabled boolean default true,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    unique (agent_id, name)
);
create table ai.hooks (
    id uuid primary key default gen_random_uuid(),
    agent_id uuid references ai.agents on delete cascade,
    orchestration_id uuid,
    event varchar(50) not null,
    matcher varchar(255),
    type varchar(50) not null,
    config jsonb not null,
    enabled boolean default true,
    position integer default 0,
    created_at timestamptz default now()
);
create table ai.tool_call_events (
    id uuid primary key default gen_random_uuid(),
    agent_run_id uuid references ai.agent_runs on delete cascade,
    orchestration_run_id uuid,
    workflow_execution_id uuid,
    agent_id uuid,
    model varchar(128),
    tool_name varchar(255) not null,
    status varchar(16) not null,
    duration_ms integer,
    arguments jsonb,
    result jsonb,
    arguments_preview text,
    result_preview text,
    error text,
    step integer,
    occurred_at timestamptz not null default now()
);
create table ai.orchestrations (
    id uuid primary key default gen_random_uuid(),
    name varchar(255) not null,
    description text,
    strategy varchar(50) not null default 'supervisor',
    orchestrator_config jsonb default '{}',
    settings jsonb default '{}',
    created_at timestamptz default now(),
    updated_at timestamptz default now()
);
create table ai.workflows (
    id uuid primary key default gen_random_uuid(),
    name varchar(255) not null,
    description text,
    variables jsonb default '{}',
    state varchar(20) default 'internal',
    created_at timestamptz default now(),
    updated_at timestamptz default now()
);
create table ai.project_settings (key varchar(255) primary key, value text, updated_at timestamptz default now());
create table ai.ai_provider_keys (
    id uuid primary key default gen_random_uuid(),
    provider varchar(50) not null unique,
    encrypted_key text not null,
    created_at timestamptz default now()
);

do $do$
declare
    tab record;
begin
    for tab in select c.oid, c.relname as name from pg_class c where c.relnamespace = 'ai'::regnamespace and c.relkind = 'r' loop
        execute format('alter table ai.%I owner to supabase_admin', tab.name);
        execute format('grant all on ai.%I to service_role, postgres', tab.name);
        continue when tab.name in ('ai_provider_keys', 'message_citations');
        execute format('alter table ai.%I enable row level security', tab.name);
        execute format('create policy %I on ai.%I for all to service_role using (true) with check (true)',
            'service_role_all_' || tab.name, tab.name);
        execute format('grant select on ai.%I to anon, authenticated', tab.name);
        execute format('create policy %I on ai.%I for select to authenticated using (true)', 'auth_read_' || tab.name, tab.name);
    end loop;
end
$do$;

-- The app -------------------------------------------------------------------------------------------------------------

set role postgres;
create table public.documents (
    id uuid primary key default gen_random_uuid(),
    source_id uuid not null unique,
    owner_id uuid not null default auth.uid() references auth.users on delete cascade,
    title text
);
create table public.tickets (
    id bigint generated always as identity primary key,
    owner_id uuid not null default auth.uid() references auth.users on delete cascade,
    subject text not null
);
create table public.chat_messages (
    id bigint generated always as identity primary key,
    user_id uuid not null default auth.uid() references auth.users on delete cascade,
    role text not null,
    content text not null
);
alter table public.documents enable row level security;
alter table public.tickets enable row level security;
alter table public.chat_messages enable row level security;
create policy own on public.documents for all to authenticated
    using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));
create policy own on public.tickets for all to authenticated
    using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));
create policy own on public.chat_messages for all to authenticated
    using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));

-- As in the cookbook: each message is told the channel of its user.
create function public.broadcast_chat_message() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    perform realtime.send(payload => jsonb_build_object('id', new.id, 'content', new.content), event => 'message',
        topic => 'chat:' || new.user_id, private => true);
    return new;
end
$$;
create trigger broadcast_chat_message after insert on public.chat_messages
    for each row execute function public.broadcast_chat_message();
reset role;

-- As in the cookbook: who owns a document reads its source and its chunks.
drop policy auth_read_sources on ai.sources;
create policy "auth_read_sources" on ai.sources for select to authenticated
    using (id in (select source_id from public.documents where owner_id = auth.uid()));
drop policy auth_read_chunks on ai.chunks;
create policy "auth_read_chunks" on ai.chunks for select to authenticated
    using (indexed_source_id in (
        select i.id from ai.indexed_sources i join public.documents d on d.source_id = i.source_id where d.owner_id = auth.uid()));
create policy "Users hear their chat." on realtime.messages for select to authenticated
    using (realtime.topic() = 'chat:' || (select auth.uid()));

-- Users ---------------------------------------------------------------------------------------------------------------

insert into auth.users (instance_id, id, aud, role, email, encrypted_password, email_confirmed_at, confirmation_token, recovery_token,
    email_change_token_new, email_change, raw_app_meta_data, raw_user_meta_data, created_at, updated_at)
select '00000000-0000-0000-0000-000000000000', u.id::uuid, 'authenticated', 'authenticated', u.email,
    '$2b$04$abcdefghijklmnopqrstuug6dzmmIEjLQndadNHMt1mzEehHgI/Ua', '2026-02-01 10:00:00+00', '', '', '', '',
    '{"provider": "email", "providers": ["email"]}', '{}', '2026-02-01 10:00:00+00', '2026-02-01 10:00:00+00'
from (values ('ada00000-0000-4000-8000-000000000001', 'ada@example.com'), ('b0b00000-0000-4000-8000-000000000002', 'bob@example.com'))
    as u (id, email);
insert into auth.identities (provider_id, user_id, identity_data, provider, created_at, updated_at)
select u.id::text, u.id, jsonb_build_object('sub', u.id, 'email', u.email, 'email_verified', true), 'email', u.created_at, u.updated_at
from auth.users u;

-- Rows ----------------------------------------------------------------------------------------------------------------

insert into public.tickets (owner_id, subject) values
    ('ada00000-0000-4000-8000-000000000001', 'The pump leaks'), ('b0b00000-0000-4000-8000-000000000002', 'The saw is blunt');
insert into public.chat_messages (user_id, role, content) values
    ('ada00000-0000-4000-8000-000000000001', 'user', 'Which colour has the pump?');

insert into ai.sources (id, name, file_type, storage_path, extraction_status, derivatives, metadata, auto_metadata, content_hash)
values
    ('50000000-0000-4000-8000-000000000001', 'pump.md', 'md', '50000000-0000-4000-8000-000000000001/original/pump_1a2b3c4d.md',
     'extracted', '{"markdown": ["50000000-0000-4000-8000-000000000001/derivatives/markdown/0.md"]}', '{"shelf": 1}',
     '{"extraction_model": "auto"}', repeat('a', 64)),
    ('50000000-0000-4000-8000-000000000002', 'saw.md', 'md', '50000000-0000-4000-8000-000000000002/original/saw_1a2b3c4d.md',
     'extracted', '{}', '{}', '{}', repeat('b', 64)),
    ('50000000-0000-4000-8000-000000000003', 'broken.pdf', 'pdf', '50000000-0000-4000-8000-000000000003/original/broken_1a2b3c4d.pdf',
     'failed', '{}', '{}', '{}', repeat('c', 64));
insert into public.documents (source_id, owner_id, title) values
    ('50000000-0000-4000-8000-000000000001', 'ada00000-0000-4000-8000-000000000001', 'Pump'),
    ('50000000-0000-4000-8000-000000000002', 'b0b00000-0000-4000-8000-000000000002', 'Saw');
insert into ai.knowledge_bases (id, name, description, indexing_config, retrieval_config) values
    ('b0000000-0000-4000-8000-000000000001', 'manuals', 'Manuals of tools',
     '{"strategy": "chunk_embed", "chunk_size": 2000, "chunk_overlap": 50, "embedding_model": "text-embedding-3-small"}',
     '{"method": "hybrid", "top_k": 5, "vector_weight": 0.5, "ts_language": "english", "context_mode": "text"}');
insert into ai.indexed_sources (id, knowledge_base_id, source_id, index_status, indexed_at, stats) values
    ('1d000000-0000-4000-8000-000000000001', 'b0000000-0000-4000-8000-000000000001', '50000000-0000-4000-8000-000000000001', 'indexed',
     '2026-03-01 10:00:00+00', '{"chunks": 2}'),
    ('1d000000-0000-4000-8000-000000000002', 'b0000000-0000-4000-8000-000000000001', '50000000-0000-4000-8000-000000000002', 'indexed',
     '2026-03-01 10:00:00+00', '{"chunks": 1}');
insert into ai.chunks (id, indexed_source_id, knowledge_base_id, source_id, text, chunk_index, start_char, end_char, tokens, meta)
values
    ('c0000000-0000-4000-8000-000000000001', '1d000000-0000-4000-8000-000000000001', 'b0000000-0000-4000-8000-000000000001',
     '50000000-0000-4000-8000-000000000001', 'The handle of the pump is red.', 0, 0, 30, 8, '{"page": 1}'),
    ('c0000000-0000-4000-8000-000000000002', '1d000000-0000-4000-8000-000000000001', 'b0000000-0000-4000-8000-000000000001',
     '50000000-0000-4000-8000-000000000001', 'Oil the pump once a year.', 1, 31, 56, 7, null),
    ('c0000000-0000-4000-8000-000000000003', '1d000000-0000-4000-8000-000000000002', 'b0000000-0000-4000-8000-000000000001',
     '50000000-0000-4000-8000-000000000002', 'The handle of the saw is blue.', null, null, null, null, '{}');
insert into ai.embeddings (item_id, item_table, indexed_source_id, knowledge_base_id, source_id, embedding_model, dims, embedding)
select c.id, 'chunks', c.indexed_source_id, c.knowledge_base_id, c.source_id, 'text-embedding-3-small', 3, '[1, 0, 0]' from ai.chunks c;

insert into ai.agents (id, name, model, system_prompt, settings) values
    ('a9000000-0000-4000-8000-000000000001', 'helpdesk', 'gpt-5.4-mini', 'Answer from the manuals.',
     '{"temperature": 0.2, "max_steps": 10, "timeout_seconds": 120, "max_context_tokens": 32000}'),
    ('a9000000-0000-4000-8000-000000000002', 'clerk', 'anthropic/claude-sonnet-4-5', null, null);
insert into ai.tools (id, name, description, type, input_schema, config) values
    ('70000000-0000-4000-8000-000000000001', 'order_part', 'Orders a spare part.', 'http',
     '{"type": "object", "properties": {"part": {"type": "string"}}, "required": ["part"]}',
     '{"endpoint": "https://parts.example.com/order", "method": "POST", "headers": {"X-Api-Key": "of-the-shop"}}'),
    ('70000000-0000-4000-8000-000000000002', 'order part!', 'The same, with a name that models cannot call.', 'http',
     '{"type": "object"}', '{"endpoint": "https://parts.example.com/order"}');
insert into ai.agent_tools (agent_id, tool_id, tool_type, tool_name, config_override) values
    ('a9000000-0000-4000-8000-000000000001', null, 'builtin', 'database_query', '{"schemas": {"public": ["tickets"]}}'),
    ('a9000000-0000-4000-8000-000000000001', null, 'builtin', 'web_search', '{}'),
    ('a9000000-0000-4000-8000-000000000001', '70000000-0000-4000-8000-000000000001', 'custom', 'order_part',
     '{"rules": ["part MATCHES .*gold.*"]}'),
    ('a9000000-0000-4000-8000-000000000001', '70000000-0000-4000-8000-000000000001', 'custom', 'order_part', '{}'),
    ('a9000000-0000-4000-8000-000000000002', '70000000-0000-4000-8000-000000000002', 'custom', 'order part!', '{}');
-- The same tool was given twice, the second time an hour later.
update ai.agent_tools set created_at = created_at + interval '1 hour' where tool_name = 'order_part' and config_override = '{}';
insert into ai.agent_knowledge_bases (agent_id, knowledge_base_id, config) values
    ('a9000000-0000-4000-8000-000000000001', 'b0000000-0000-4000-8000-000000000001', '{"top_k": 3}');
insert into ai.agent_mcp_servers (agent_id, name, url, headers) values
    ('a9000000-0000-4000-8000-000000000002', 'crm', 'https://crm.example.com/mcp', '{"X-Api-Key": "of-the-crm"}'),
    ('a9000000-0000-4000-8000-000000000002', 'old', 'https://old.example.com/sse', '{}');
update ai.agent_mcp_servers set transport = 'sse' where name = 'old';
insert into ai.hooks (agent_id, event, type, config) values
    ('a9000000-0000-4000-8000-000000000001', 'PreToolUse', 'approval', '{"timeout": 300}');

-- A conversation of Ada's, one that the back end began without a user, and one whose agent is gone.
insert into ai.agent_sessions (id, session_id, agent_id, user_id, created_at, updated_at) values
    ('5e000000-0000-4000-8000-000000000001', 'sess_0123456789ab', 'a9000000-0000-4000-8000-000000000001',
     'ada00000-0000-4000-8000-000000000001', '2026-04-01 10:00:00+00', '2026-04-01 10:01:00+00'),
    ('5e000000-0000-4000-8000-000000000002', 'sess_ba9876543210', 'a9000000-0000-4000-8000-000000000001', null,
     '2026-04-02 10:00:00+00', '2026-04-02 10:00:00+00'),
    ('5e000000-0000-4000-8000-000000000003', 'sess_000000000000', null, 'b0b00000-0000-4000-8000-000000000002',
     '2026-04-03 10:00:00+00', '2026-04-03 10:00:00+00');
insert into ai.agent_runs (id, session_id, run_id, status, input_messages, output_messages, content, started_at, completed_at,
    created_at, steps, agent_id, model, prompt_tokens, completion_tokens, total_tokens) values
    ('ac000000-0000-4000-8000-000000000001', '5e000000-0000-4000-8000-000000000001', 'run_0123456789ab', 'completed',
     '[{"role": "user", "content": "Which colour has the pump?"}]', '[{"role": "assistant", "content": "Its handle is red [1]."}]',
     'Its handle is red [1].', '2026-04-01 10:00:00+00', '2026-04-01 10:00:05+00', '2026-04-01 10:00:00+00', 1,
     'a9000000-0000-4000-8000-000000000001', 'gpt-5.4-mini', 120, 12, 132),
    ('ac000000-0000-4000-8000-000000000002', '5e000000-0000-4000-8000-000000000001', 'run_0123456789ac', 'failed',
     '[{"role": "user", "content": "And the saw?"}]', null, null, '2026-04-01 10:00:30+00', '2026-04-01 10:00:31+00',
     '2026-04-01 10:00:30+00', null, 'a9000000-0000-4000-8000-000000000001', 'gpt-5.4-mini', null, null, null),
    ('ac000000-0000-4000-8000-000000000003', '5e000000-0000-4000-8000-000000000002', 'run_ba9876543210', 'running',
     '[{"role": "user", "content": "Hello?"}]', null, null, '2026-04-02 10:00:00+00', null, '2026-04-02 10:00:00+00', null,
     'a9000000-0000-4000-8000-000000000001', 'gpt-5.4-mini', null, null, null);
insert into ai.message_citations (run_id, citation_key, item_id, source_id, text_excerpt) values
    ('ac000000-0000-4000-8000-000000000001', 1, 'c0000000-0000-4000-8000-000000000001', '50000000-0000-4000-8000-000000000001',
     'The handle of the pump is red.');
insert into ai.orchestrations (name) values ('two of them');
insert into ai.workflows (name) values ('every morning');
insert into ai.ai_provider_keys (provider, encrypted_key) values ('openai', 'gAAAAAB');

-- Files: the platform's own, and the app's.
insert into storage.buckets (id, name, public) values ('sources', 'sources', false), ('exports', 'exports', false);
insert into storage.objects (bucket_id, name, version, metadata) values
    ('sources', '50000000-0000-4000-8000-000000000001/original/pump_1a2b3c4d.md', 'e6000000-0000-4000-8000-000000000006',
     '{"size": 57, "mimetype": "text/markdown"}'),
    ('exports', 'tickets.csv', 'e7000000-0000-4000-8000-000000000007', '{"size": 8, "mimetype": "text/csv"}');
