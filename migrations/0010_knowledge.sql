-- Knowledge: documents that runs are given to read. Sources are documents, a knowledge base indexes some of them, and chunks
-- are the pieces of a source.
--
-- Tables and columns have the names of the platform whose HTTP interface Behalf offers. Only `owner_id` is new: a policy needs
-- something to decide by. An app that has its own rule for who may read a source drops the policies `auth_read_sources` and
-- `auth_read_chunks` and creates its own.
--
-- The host has no rights on these tables. It reads chunks as the caller, through the login of the caller's role, as tools do.

create table ai.knowledge_bases (
    id uuid primary key default gen_random_uuid(),
    name text not null,
    description text,
    indexing_config jsonb not null default '{}',
    retrieval_config jsonb not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table ai.knowledge_bases is 'Sets of sources that are indexed in the same way.';

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
comment on table ai.sources is 'Documents, and how far their text has been extracted.';
comment on column ai.sources.owner_id is 'Whose it is; nobody''s but the service role''s where null.';
create index on ai.sources (owner_id, created_at desc);
-- An owner cannot add the same document twice. The index is for each owner, so that nobody learns what others have.
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
comment on table ai.indexed_sources is 'Which sources a knowledge base has, and how far each is indexed.';
comment on column ai.indexed_sources.indexing_config_snapshot is
    'The configuration that the index was made with; that of the knowledge base may be another by now.';
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
comment on table ai.chunks is 'Pieces of a source''s text, as a run is given them to read.';
create index on ai.chunks (source_id, chunk_index);
create index on ai.chunks (indexed_source_id);
create index on ai.chunks (knowledge_base_id);

-- Policies and grants -----------------------------------------------------------------------------------------------

-- They stand together here, because the policies of three tables follow from the policy of `ai.sources`: whoever sees a source
-- sees its chunks and its knowledge base. The inner statements run with the caller's rights as well, so a new policy
-- on `ai.sources` takes effect on the other tables by itself.

alter table ai.sources enable row level security;
alter table ai.indexed_sources enable row level security;
alter table ai.chunks enable row level security;
alter table ai.knowledge_bases enable row level security;

create policy auth_read_sources on ai.sources for select to authenticated
    using (owner_id = (select auth.uid()));
create policy auth_read_indexed_sources on ai.indexed_sources for select to authenticated
    using (source_id in (select s.id from ai.sources s));
create policy auth_read_chunks on ai.chunks for select to authenticated
    using (source_id in (select s.id from ai.sources s));
create policy auth_read_knowledge_bases on ai.knowledge_bases for select to authenticated
    using (id in (select i.knowledge_base_id from ai.indexed_sources i));

grant select on ai.knowledge_bases, ai.sources, ai.indexed_sources, ai.chunks to authenticated;
grant select, insert, update, delete on ai.knowledge_bases, ai.sources, ai.indexed_sources, ai.chunks to service_role;
