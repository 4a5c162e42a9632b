-- Knowledge: what runs are given to read, and how hosts tell each other that a run moved on.
--
-- Sources are documents, a knowledge base indexes some of them, chunks are their pieces. The tables and columns are the
-- platform's; `owner_id` is ours, so that there is something to decide by. An app that knows better whose a source is
-- drops the policies `auth_read_sources` and `auth_read_chunks` and writes its own. The host has no right to any of this: it
-- reads chunks as the caller, on the caller's own login, as the tools do.

create table ai.knowledge_bases (
    id uuid primary key default gen_random_uuid(),
    name text not null,
    description text,
    indexing_config jsonb not null default '{}',
    retrieval_config jsonb not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table ai.sources (
    id uuid primary key default gen_random_uuid(),
    owner_id uuid default auth.uid(),
    name text not null,
    file_type text,
    storage_path text,
    extraction_status text not null default 'pending'
        check (extraction_status in ('pending', 'extracting', 'extracted', 'attention_required', 'failed', 'cancelled')),
    derivatives jsonb not null default '{}',
    metadata jsonb not null default '{}',
    auto_metadata jsonb not null default '{}',
    error_message text,
    error_code text,
    content_hash text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on column ai.sources.owner_id is 'Whose it is; nobody''s but the service role''s where null.';
create index on ai.sources (owner_id, created_at desc);
-- Twice the same document is a mistake of one owner's; what others have is none of their business.
create unique index sources_once_per_owner on ai.sources (owner_id, content_hash) nulls not distinct
    where content_hash is not null;

create table ai.indexed_sources (
    id uuid primary key default gen_random_uuid(),
    knowledge_base_id uuid not null references ai.knowledge_bases (id) on delete cascade,
    source_id uuid not null references ai.sources (id) on delete cascade,
    index_status text not null default 'pending'
        check (index_status in ('pending', 'indexing', 'indexed', 'failed', 'cancelled')),
    indexed_at timestamptz,
    stats jsonb not null default '{}',
    error_message text,
    indexing_config_snapshot jsonb,
    created_at timestamptz not null default now(),
    unique (knowledge_base_id, source_id)
);
create index on ai.indexed_sources (source_id);

create table ai.chunks (
    id uuid primary key default gen_random_uuid(),
    indexed_source_id uuid references ai.indexed_sources (id) on delete cascade,
    knowledge_base_id uuid references ai.knowledge_bases (id) on delete cascade,
    source_id uuid not null references ai.sources (id) on delete cascade,
    text text not null,
    chunk_index integer not null default 0,
    start_char integer,
    end_char integer,
    tokens integer,
    meta jsonb not null default '{}',
    created_at timestamptz not null default now()
);
create index on ai.chunks (source_id, chunk_index);
create index on ai.chunks (indexed_source_id);
create index on ai.chunks (knowledge_base_id);

-- Who sees what -----------------------------------------------------------------------------------------------------

do $$
declare
    tab text;
begin
    foreach tab in array array['knowledge_bases', 'sources', 'indexed_sources', 'chunks'] loop
        execute format('alter table ai.%I enable row level security', tab);
        execute format('grant select on ai.%I to authenticated', tab);
        execute format('grant select, insert, update, delete on ai.%I to service_role', tab);
    end loop;
end
$$;

create policy auth_read_sources on ai.sources for select to authenticated
    using (owner_id = (select auth.uid()));
-- Whoever sees a source sees what was made of it. The inner statements are the caller's as well, so these three follow a
-- new policy of `ai.sources` by themselves.
create policy auth_read_indexed_sources on ai.indexed_sources for select to authenticated
    using (source_id in (select s.id from ai.sources s));
create policy auth_read_chunks on ai.chunks for select to authenticated
    using (source_id in (select s.id from ai.sources s));
create policy auth_read_knowledge_bases on ai.knowledge_bases for select to authenticated
    using (id in (select i.knowledge_base_id from ai.indexed_sources i));

-- What a run was given to read --------------------------------------------------------------------------------------

alter table ai.agent_runs add column retrieved_context jsonb not null default '[]';
comment on column ai.agent_runs.retrieved_context is 'The passages that stood in the instructions, in their order.';

-- Hosts that wait for each other's runs -----------------------------------------------------------------------------

-- Migration 3 took this function from everybody; the host alone needs it, to say which runs have news.
do $$
begin
    grant execute on function pg_catalog.pg_notify(text, text) to behalf_host;
exception when insufficient_privilege then
    raise warning 'cannot let behalf_host announce events; followers on other hosts see them up to two seconds later';
end
$$;
