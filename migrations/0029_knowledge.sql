-- Knowledge bases that are indexed and searched: vectors and words of chunks, and the host's rights.
--
-- Who sees a chunk is decided by the policies on `ai.chunks`, which follow from those on `ai.sources` unless the app has its own.
-- Vectors stand in the chunk's own row, so that a search by vector is one statement on one table with these policies.
--
-- Words need a table of their own. Under row-level security Postgres uses an index only for conditions that cannot leak what they
-- see, and the match of words (`@@`) is not known to be one. The conditions of a table's first policy are exempt: they may use any index.
-- So the match is itself a policy of `ai.chunk_words`, on the query that the transaction names; the other policy of this table asks
-- for the chunk, and thereby for the policies of `ai.chunks`. A transaction that names no query sees no row.

-- Bases -------------------------------------------------------------------------------------------------------------------

alter table ai.knowledge_bases
    add column owner_id uuid default auth.uid(),
    add column contributors text not null default 'owner' check (contributors in ('owner', 'authenticated'));
comment on column ai.knowledge_bases.owner_id is 'Whose it is; the service role''s where null.';
comment on column ai.knowledge_bases.contributors is
    'Who may add sources: the owner, or every signed-in user, each their own sources.';
create index on ai.knowledge_bases (owner_id, created_at desc);

-- Whoever owns a base sees it before it has a source.
create policy auth_read_own_knowledge_bases on ai.knowledge_bases for select to authenticated
    using (owner_id = (select auth.uid()));

-- Models ------------------------------------------------------------------------------------------------------------------

-- One row for each embedding model that this database has vectors of. Its number stands in the chunks and in the names of indexes.
create table ai.embedding_models (
    id smallint generated always as identity primary key,
    name text not null unique check (name <> ''),
    dims integer not null check (dims between 1 and 16000),
    created_at timestamptz not null default now()
);
comment on table ai.embedding_models is 'The models whose vectors chunks have.';
alter table ai.embedding_models enable row level security;
create policy host_reads on ai.embedding_models for select to behalf_host using (true);
grant select on ai.embedding_models to behalf_host, service_role;

-- Chunks ------------------------------------------------------------------------------------------------------------------

alter table ai.chunks
    add column embedding_model smallint references ai.embedding_models (id),
    add column embedding vector,
    add constraint chunks_have_a_model check ((embedding is null) = (embedding_model is null));
-- In the row, and rather the text outside of it: a search may compare many vectors and returns few texts.
alter table ai.chunks alter column embedding set storage main;
comment on column ai.chunks.embedding is 'The vector of its text; null where no model was asked.';
-- A search names one model, and knows how many numbers its vectors have. `behalf.add_embedding_model` makes the index for it.
create index chunks_to_embed on ai.chunks (knowledge_base_id) where embedding is null;

create table ai.chunk_words (
    chunk_id uuid primary key references ai.chunks (id) on delete cascade,
    source_id uuid not null,
    knowledge_base_id uuid,
    length integer not null default 0,
    words tsvector not null
);
comment on table ai.chunk_words is
    'The words of chunks, for search. It shows rows that match the setting behalf.text_query of the transaction, and no others.';
comment on column ai.chunk_words.length is 'How many words the chunk has, counted with repetitions.';
create index chunk_words_source on ai.chunk_words (source_id);
create index chunk_words_base on ai.chunk_words (knowledge_base_id);
create index chunk_words_words on ai.chunk_words using gin (words);

alter table ai.chunk_words enable row level security;
-- A restrictive policy comes before the permissive ones, so its condition may use the index. Policies are taken in the order of their
-- names; no other restrictive policy may come before this one.
create policy a_matches_the_query on ai.chunk_words as restrictive for select
    using (words @@ nullif(current_setting('behalf.text_query', true), '')::tsquery);
comment on policy a_matches_the_query on ai.chunk_words is
    'Shows what matches the query of the transaction. Whoever sets it sees no more by it. behalf: reviewed';
-- A scalar subquery, because Postgres might answer `exists` by reading all chunks that the caller can see.
create policy follows_chunk on ai.chunk_words for select
    using ((select true from ai.chunks c where c.id = chunk_id));
grant select on ai.chunk_words to authenticated, service_role;

-- The words of a chunk, and of what is known of it. A value of `meta` becomes one word that no text contains, so that a search can
-- ask for it by the same index. The language is the base's, `english` where it names none.
create function behalf.chunk_language(base uuid) returns regconfig
language plpgsql stable set search_path = ''
as $$
declare
    wanted text;
begin
    select b.retrieval_config ->> 'ts_language' into wanted from ai.knowledge_bases b where b.id = base;
    return coalesce((select c.oid from pg_catalog.pg_ts_config c
        where c.cfgname = coalesce(wanted, 'english') and c.cfgnamespace = 'pg_catalog'::regnamespace), 'pg_catalog.simple'::regconfig);
end
$$;

create function behalf.meta_words(meta jsonb) returns tsvector
language sql immutable set search_path = ''
as $$
    select pg_catalog.array_to_tsvector(coalesce(pg_catalog.array_agg(distinct 'm' || pg_catalog.md5(e.key || '=' || e.value::text)), '{}'))
    from pg_catalog.jsonb_each(case when pg_catalog.jsonb_typeof(meta) = 'object' then meta else '{}' end) e
    where pg_catalog.jsonb_typeof(e.value) in ('string', 'number', 'boolean', 'null')
$$;
comment on function behalf.meta_words(jsonb) is 'One word for each plain value of an object: `m` and the MD5 of `key=value`.';

create function behalf.write_chunk_words() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    found tsvector;
begin
    begin
        -- The headings above it count as well: a piece from the middle of a section seldom says what the section is about. They come
        -- last, so phrases of the text stay phrases.
        found := pg_catalog.to_tsvector(behalf.chunk_language(new.knowledge_base_id), pg_catalog.concat_ws(
            e'\n', new.text, case when pg_catalog.jsonb_typeof(new.meta -> 'headings') = 'array' then (
                select pg_catalog.string_agg(h.heading, e'\n') from pg_catalog.jsonb_array_elements_text(new.meta -> 'headings') h(heading))
            end));
    exception when program_limit_exceeded then
        -- A text of more words than Postgres can index is a chunk all the same.
        found := '';
    end;
    insert into ai.chunk_words as w (chunk_id, source_id, knowledge_base_id, length, words)
    values (new.id, new.source_id, new.knowledge_base_id,
        (select coalesce(pg_catalog.sum(coalesce(pg_catalog.cardinality(u.positions), 1)), 0) from pg_catalog.unnest(found) u),
        found || behalf.meta_words(new.meta))
    on conflict (chunk_id) do update
        set source_id = excluded.source_id, knowledge_base_id = excluded.knowledge_base_id, length = excluded.length, words = excluded.words;
    return null;
end
$$;
comment on function behalf.write_chunk_words() is 'Keeps the words of a chunk beside it.';
create trigger write_words after insert or update of text, meta, source_id, knowledge_base_id on ai.chunks
    for each row execute function behalf.write_chunk_words();
insert into ai.chunk_words (chunk_id, source_id, knowledge_base_id, length, words)
select c.id, c.source_id, c.knowledge_base_id, 0, pg_catalog.to_tsvector(behalf.chunk_language(c.knowledge_base_id), c.text) || behalf.meta_words(c.meta)
from ai.chunks c;

-- Makes the index of a model's vectors. The host calls it before it stores the first vector of a model, so the index is made of
-- nothing and nobody waits for it.
create function behalf.add_embedding_model(model text, numbers integer) returns smallint
language plpgsql security definer set search_path = ''
as $$
declare
    added smallint;
    known integer;
begin
    select m.id, m.dims into added, known from ai.embedding_models m where m.name = model;
    if added is null then
        perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('behalf.add_embedding_model'));
        select m.id, m.dims into added, known from ai.embedding_models m where m.name = model;
    end if;
    if added is not null then
        if known <> numbers then
            raise invalid_parameter_value using message = pg_catalog.format('the model %L has vectors of %s numbers here, not of %s', model, known, numbers);
        end if;
        return added;
    end if;
    insert into ai.embedding_models (name, dims) values (model, numbers) returning id into added;
    -- With pgvector's own 64 candidates when a vector is added, a search missed 7 of 100 right answers; with 160 none (ADR 9).
    -- An index takes 4,000 numbers of half precision at most. Vectors with more of them are searched one by one.
    if numbers <= 4000 then
        execute pg_catalog.format(
            'create index %I on ai.chunks using hnsw ((embedding::%s.halfvec(%s)) %s.halfvec_cosine_ops) with (m = 16, ef_construction = 160) where embedding_model = %s',
            'chunks_embedding_' || added, vector_schema.name, numbers, vector_schema.name, added)
        from (select pg_catalog.quote_ident(n.nspname) as name from pg_catalog.pg_extension e
              join pg_catalog.pg_namespace n on n.oid = e.extnamespace where e.extname = 'vector') vector_schema;
    end if;
    return added;
end
$$;
comment on function behalf.add_embedding_model(text, integer) is 'The number of a model, which it gets with its first vector.';

revoke all on function behalf.chunk_language(uuid), behalf.meta_words(jsonb), behalf.write_chunk_words(),
    behalf.add_embedding_model(text, integer) from public;
grant execute on function behalf.add_embedding_model(text, integer) to behalf_host;

-- Indexing --------------------------------------------------------------------------------------------------------------------

alter table ai.indexed_sources
    add column job_id uuid,
    add column wanted_at timestamptz,
    add column chunk_count integer not null default 0,
    add column updated_at timestamptz not null default now();
comment on column ai.indexed_sources.job_id is 'The job that indexes it, or did so last.';
comment on column ai.indexed_sources.wanted_at is 'Since when it is to be indexed by a job that nobody has added yet. A host adds it.';
create index indexed_sources_wanted on ai.indexed_sources (wanted_at) where wanted_at is not null;
comment on column ai.indexed_sources.chunk_count is 'How many chunks it has.';

-- What a job has made so far. It becomes chunks in the transaction that ends the job, so a search sees all of a document or nothing,
-- and the chunks of before until then.
create table behalf.staged_chunks (
    job_id uuid not null,
    chunk_index integer not null,
    indexed_source_id uuid not null references ai.indexed_sources (id) on delete cascade,
    text text not null,
    start_char integer,
    end_char integer,
    tokens integer,
    meta jsonb not null default '{}',
    embedding_model smallint references ai.embedding_models (id),
    embedding vector,
    primary key (job_id, chunk_index)
);
comment on table behalf.staged_chunks is 'Chunks of a document that is being indexed.';
create index on behalf.staged_chunks (indexed_source_id);

-- The host writes a user's rows in that user's name, as it does for sources.
alter table behalf.staged_chunks enable row level security;
create policy host_acts_for_owner on behalf.staged_chunks to behalf_host
    using (exists (select from ai.indexed_sources i where i.id = indexed_source_id))
    with check (exists (select from ai.indexed_sources i where i.id = indexed_source_id));
create policy host_acts_for_owner on ai.indexed_sources to behalf_host
    using ((select auth.role()) = 'service_role' or exists (select from ai.sources s where s.id = source_id))
    with check ((select auth.role()) = 'service_role' or exists (select from ai.sources s where s.id = source_id));
-- Who owns a base may take any source out of it, and have it indexed anew. What is in the source is not read for that.
create policy host_sees_for_base_owner on ai.indexed_sources for select to behalf_host
    using (exists (select from ai.knowledge_bases b where b.id = knowledge_base_id and b.owner_id = (select auth.uid())));
create policy host_marks_for_base_owner on ai.indexed_sources for update to behalf_host
    using (exists (select from ai.knowledge_bases b where b.id = knowledge_base_id and b.owner_id = (select auth.uid())));
create policy host_removes_for_base_owner on ai.indexed_sources for delete to behalf_host
    using (exists (select from ai.knowledge_bases b where b.id = knowledge_base_id and b.owner_id = (select auth.uid())));
create policy host_acts_for_owner on ai.chunks to behalf_host
    using ((select auth.role()) = 'service_role' or exists (select from ai.sources s where s.id = source_id))
    with check ((select auth.role()) = 'service_role' or exists (select from ai.sources s where s.id = source_id));
create policy host_acts_for_owner on ai.knowledge_bases to behalf_host
    using ((select auth.role()) = 'service_role' or owner_id = (select auth.uid()))
    with check ((select auth.role()) = 'service_role' or owner_id = (select auth.uid()));
-- A user may add their own sources to a base of somebody else's that takes them. Nothing but this is read of such a base.
create policy host_sees_open_bases on ai.knowledge_bases for select to behalf_host
    using (contributors = 'authenticated');
grant select, insert, update, delete on ai.knowledge_bases, ai.indexed_sources, ai.chunks, behalf.staged_chunks to behalf_host;
grant execute on function behalf.tell_source() to behalf_host;

-- What was indexed is indexed anew when its source was read anew. Nobody's request is there to add the job then, and whoever reads a
-- source knows nothing of knowledge bases; so the row says that it is wanted, and a host adds the job. Rows that SQL added, and that no
-- host ever indexed, are left alone.
create function behalf.want_index() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    update ai.indexed_sources i
    set index_status = 'pending', job_id = null, wanted_at = now(), error_message = null, updated_at = now()
    where i.source_id = new.id and i.index_status <> 'cancelled' and (i.job_id is not null or i.wanted_at is not null);
    return null;
end
$$;
comment on function behalf.want_index() is 'Has a source indexed anew that was read anew.';
create trigger index_anew after update of extraction_status on ai.sources for each row
    when (new.extraction_status = 'extracted' and old.extraction_status <> 'extracted')
    execute function behalf.want_index();

-- A vector belongs to the text that it was made of. Where SQL changes the text alone, a host makes another vector.
create function behalf.forget_vector() returns trigger
language plpgsql set search_path = ''
as $$
begin
    if new.embedding is not null and new.embedding_model is not distinct from old.embedding_model
        and new.embedding::text is not distinct from old.embedding::text
    then
        new.embedding := null;
        new.embedding_model := null;
    end if;
    return new;
end
$$;
comment on function behalf.forget_vector() is 'Takes the vector from a chunk whose text changed.';
create trigger forget_vector before update of text on ai.chunks for each row when (new.text is distinct from old.text)
    execute function behalf.forget_vector();

-- Words are made anew when the language of a base changes, in the same transaction: a search never meets words of two languages.
create function behalf.rewrite_words() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    update ai.chunks c set text = c.text where c.knowledge_base_id = new.id;
    return null;
end
$$;
comment on function behalf.rewrite_words() is 'Makes the words of a base anew whose language changed.';
create trigger rewrite_words after update of retrieval_config on ai.knowledge_bases for each row
    when (new.retrieval_config ->> 'ts_language' is distinct from old.retrieval_config ->> 'ts_language')
    execute function behalf.rewrite_words();
revoke all on function behalf.want_index(), behalf.forget_vector(), behalf.rewrite_words() from public;
grant execute on function behalf.forget_vector() to behalf_host, service_role;
