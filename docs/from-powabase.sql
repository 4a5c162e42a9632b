-- What a Powabase project has in its schema `ai`, brought into the host's own: agents with their tools and knowledge bases, sources with
-- the text of their chunks, and conversations. docs/from-powabase.md says how the old schema comes to be called `powabase`, and what is
-- left out. It may run again: what is there already stays as it is.

begin;

-- Agents ----------------------------------------------------------------------------------------------------------------------

insert into ai.agents (id, name, model, system_prompt, settings, created_at, updated_at)
select a.id, a.name, a.model, a.system_prompt, coalesce(a.settings, '{}'), a.created_at, a.updated_at
from powabase.agents a
on conflict (id) do nothing;

-- A model calls a tool by its name.
insert into ai.tools (id, name, description, type, input_schema, config, created_at, updated_at)
select t.id, t.name, t.description, t.type, t.input_schema, coalesce(t.config, '{}'), t.created_at, t.updated_at
from powabase.tools t
where t.name ~ '^[a-zA-Z][a-zA-Z0-9_-]{0,63}$'
  and not exists (select from ai.plugin_tools p where p.name = t.name)
on conflict do nothing;

-- `schemas` listed the tables that a tool of the platform might use: here, grants of the plugin and the caller's policies decide.
insert into ai.agent_tools (id, agent_id, tool_type, tool_name, tool_id, config_override, created_at)
select distinct on (t.agent_id, t.tool_name) t.id, t.agent_id, t.tool_type, t.tool_name, t.tool_id,
    coalesce(t.config_override, '{}') - 'schemas', t.created_at
from powabase.agent_tools t
where t.agent_id in (select a.id from ai.agents a)
  and case t.tool_type
        when 'custom' then exists (select from ai.tools c where c.id = t.tool_id and c.name = t.tool_name)
        when 'builtin' then t.tool_name in ('database_query', 'database_write', 'storage_read', 'storage_write')
        else false end
order by t.agent_id, t.tool_name, t.created_at, t.id
on conflict do nothing;

insert into ai.agent_mcp_servers (id, agent_id, name, url, headers, config, enabled, created_at, updated_at)
select s.id, s.agent_id, s.name, s.url, coalesce(s.headers, '{}'), coalesce(s.config, '{}'), coalesce(s.enabled, true), s.created_at,
    s.updated_at
from powabase.agent_mcp_servers s
where s.transport = 'http' and s.name ~ '^[a-zA-Z0-9][a-zA-Z0-9_-]{0,31}$'
on conflict do nothing;

-- Knowledge -------------------------------------------------------------------------------------------------------------------

-- Vectors are made anew, by the model that is in the host. Chunks of other strategies are not chunks of text.
insert into ai.knowledge_bases (id, name, description, indexing_config, retrieval_config, owner_id, created_at, updated_at)
select b.id, b.name, b.description,
    jsonb_build_object('strategy', 'chunk_embed', 'embedding_model', 'local/all-MiniLM-L6-v2', 'chunk_size', 256, 'chunk_overlap', 50),
    coalesce(b.retrieval_config, '{}'), null, b.created_at, b.updated_at
from powabase.knowledge_bases b
where b.indexing_config ->> 'strategy' = 'chunk_embed'
on conflict (id) do nothing;

-- Nobody owns a source at the platform. The app's own table says whose each is, here `public.documents` as in the cookbook: change the
-- name where yours has another. A source without a row is the service role's.
insert into ai.sources (id, owner_id, name, file_type, storage_path, extraction_status, metadata, auto_metadata, content_hash, pages,
    pages_done, created_at, updated_at)
select s.id, (select d.owner_id from public.documents d where d.source_id = s.id), coalesce(s.name, s.id::text), s.file_type,
    s.storage_path, 'extracted', coalesce(s.metadata, '{}'), coalesce(s.auto_metadata, '{}'), s.content_hash, 1, 1, s.created_at,
    s.updated_at
from powabase.sources s
where s.extraction_status = 'extracted'
on conflict do nothing;

insert into ai.indexed_sources (id, knowledge_base_id, source_id, index_status, indexed_at, indexing_config_snapshot, chunk_count,
    created_at)
select i.id, i.knowledge_base_id, i.source_id, 'indexed', i.indexed_at, b.indexing_config,
    (select count(*) from powabase.chunks c where c.indexed_source_id = i.id), i.created_at
from powabase.indexed_sources i
  join ai.knowledge_bases b on b.id = i.knowledge_base_id
  join ai.sources s on s.id = i.source_id
where i.index_status = 'indexed'
on conflict do nothing;

insert into ai.chunks (id, indexed_source_id, knowledge_base_id, source_id, text, chunk_index, start_char, end_char, tokens, meta,
    created_at)
select c.id, c.indexed_source_id, c.knowledge_base_id, c.source_id, c.text, coalesce(c.chunk_index, 0), c.start_char, c.end_char,
    c.tokens, coalesce(c.meta, '{}'), c.created_at
from powabase.chunks c
where c.indexed_source_id in (select i.id from ai.indexed_sources i)
on conflict do nothing;

-- The text of a source, which is read and indexed again from here: what its chunks have. Neighbours may share some words.
insert into ai.source_pages (source_id, page, text)
select distinct on (c.source_id) c.source_id, 1, string_agg(c.text, e'\n\n' order by c.chunk_index, c.id)
from ai.chunks c
where c.source_id in (select s.id from powabase.sources s)
group by c.source_id, c.indexed_source_id
order by c.source_id, c.indexed_source_id
on conflict do nothing;

insert into ai.agent_knowledge_bases (id, agent_id, knowledge_base_id, config, created_at)
select k.id, k.agent_id, k.knowledge_base_id, coalesce(k.config, '{}'), k.created_at
from powabase.agent_knowledge_bases k
where k.knowledge_base_id in (select b.id from ai.knowledge_bases b)
on conflict do nothing;

-- Conversations -----------------------------------------------------------------------------------------------------------------

-- One without a user belongs to the service role.
insert into ai.agent_sessions (id, session_id, agent_id, user_id, session_data, metadata, created_at, updated_at)
select s.id, s.session_id, s.agent_id, s.user_id, coalesce(s.session_data, '{}'), coalesce(s.metadata, '{}'), s.created_at, s.updated_at
from powabase.agent_sessions s
where s.agent_id in (select a.id from ai.agents a)
on conflict do nothing;

-- Of what was said: the last question and its answer. Runs that had not ended are over.
insert into ai.agent_runs (id, run_id, session_id, agent_id, user_id, actor, status, model, input_messages, output_messages, content,
    error, usage, citation_candidates, started_at, completed_at, created_at)
select r.id, r.run_id, s.session_id, s.agent_id, s.user_id, coalesce(s.user_id::text, 'service_role'),
    case when r.status in ('completed', 'failed', 'cancelled') then r.status else 'failed' end, r.model,
    coalesce((select jsonb_build_array(jsonb_build_object('role', 'user', 'content', m.message ->> 'content'))
              from jsonb_array_elements(r.input_messages) with ordinality m (message, place)
              where m.message ->> 'role' = 'user' order by m.place desc limit 1), '[]'),
    case when r.status = 'completed' and r.content <> ''
         then jsonb_build_array(jsonb_build_object('role', 'assistant', 'content', r.content)) else '[]' end,
    r.content, r.error,
    jsonb_strip_nulls(jsonb_build_object('prompt_tokens', r.prompt_tokens, 'completion_tokens', r.completion_tokens,
        'total_tokens', r.total_tokens)),
    -- Whether citations were asked for.
    case when exists (select from powabase.message_citations c where c.run_id = r.id) then '[]'::jsonb end,
    coalesce(r.started_at, r.created_at), coalesce(r.completed_at, r.started_at, r.created_at), r.created_at
from powabase.agent_runs r
  join ai.agent_sessions s on s.id = r.session_id
on conflict do nothing;

insert into ai.message_citations (id, run_id, user_id, citation_key, item_id, source_id, source_name, text_excerpt, meta, created_at)
select c.id, r.run_id, r.user_id, c.citation_key::text, c.item_id, c.source_id, s.name, coalesce(c.text_excerpt, ''),
    coalesce(c.meta, '{}'), c.created_at
from powabase.message_citations c
  join ai.agent_runs r on r.id = c.run_id
  left join powabase.sources s on s.id = c.source_id
on conflict do nothing;

commit;
