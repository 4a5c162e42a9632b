-- Agents' knowledge: the bases that an agent searches, what was searched in a run, and what an answer cites.
--
-- The service role gives bases to agents, as it gives tools. A search is made as the run's caller, so a base that an agent has
-- shows nobody anything that their own policies hide.

-- The bases of an agent -------------------------------------------------------------------------------------------------------

create table ai.agent_knowledge_bases (
    id uuid primary key default gen_random_uuid(),
    agent_id uuid not null references ai.agents (id) on delete cascade,
    knowledge_base_id uuid not null references ai.knowledge_bases (id) on delete cascade,
    config jsonb not null default '{}' check (jsonb_typeof(config) = 'object'),
    created_at timestamptz not null default now(),
    unique (agent_id, knowledge_base_id)
);
comment on table ai.agent_knowledge_bases is 'The knowledge bases that an agent''s runs search, each as its caller.';
comment on column ai.agent_knowledge_bases.config is '`top_k`, `retrieval_method` and `max_context_tokens` of this agent''s searches.';
create index on ai.agent_knowledge_bases (knowledge_base_id);

alter table ai.agent_knowledge_bases enable row level security;
create policy host_manages on ai.agent_knowledge_bases to behalf_host using (true) with check (true);
grant select, insert, update, delete on ai.agent_knowledge_bases to service_role, behalf_host;

create trigger audited after insert or update or delete on ai.agent_knowledge_bases for each row execute function behalf.audit_change(
    'agent_knowledge_base', 'id', 'agent_id,knowledge_base_id', 'config', '', 'top_k,retrieval_method,max_context_tokens');

-- Searches --------------------------------------------------------------------------------------------------------------------

create table ai.context_handlers (
    id uuid primary key default gen_random_uuid(),
    user_id uuid,
    run_id text references ai.agent_runs (run_id) on delete cascade,
    tool_name text,
    query text not null,
    status text not null default 'completed' check (status in ('pending', 'running', 'completed', 'failed')),
    knowledge_base_configs jsonb not null default '[]',
    max_context_tokens integer not null,
    formatted_context text,
    retrieved_context jsonb not null default '[]',
    metadata jsonb not null default '{}',
    errors jsonb not null default '[]',
    created_at timestamptz not null default now()
);
comment on table ai.context_handlers is
    'Searches: those of runs, which end with their run, and those that the service role asked for by themselves.';
comment on column ai.context_handlers.user_id is 'As in the run; null where the service role works in its own name.';
comment on column ai.context_handlers.run_id is 'The run that searched; null where no run did.';
comment on column ai.context_handlers.formatted_context is
    'The passages as a model reads them; null for a run''s own searches, of which only excerpts are kept.';
create index on ai.context_handlers (run_id);
create index on ai.context_handlers (created_at desc) where run_id is null;

alter table ai.context_handlers enable row level security;
create policy owner_reads on ai.context_handlers for select to authenticated using (user_id = (select auth.uid()));
create policy host_acts_for_owner on ai.context_handlers to behalf_host
    using ((select auth.role()) = 'service_role' or user_id = (select auth.uid()))
    with check ((select auth.role()) = 'service_role' or user_id = (select auth.uid()));
create policy delegated_sees_its_own on ai.context_handlers as restrictive to authenticated, behalf_host
    using (coalesce((select auth.jwt() -> 'act' ->> 'sub'), '') not like 'delegation:%'
        or exists (select from ai.agent_runs r where r.run_id = context_handlers.run_id));
grant select on ai.context_handlers to authenticated, service_role;
grant select, insert, update, delete on ai.context_handlers to behalf_host;

-- Citations -------------------------------------------------------------------------------------------------------------------

create table ai.message_citations (
    id uuid primary key default gen_random_uuid(),
    run_id text not null references ai.agent_runs (run_id) on delete cascade,
    user_id uuid,
    citation_key text not null,
    item_id uuid,
    source_id uuid,
    source_name text,
    text_excerpt text not null,
    meta jsonb not null default '{}',
    created_at timestamptz not null default now(),
    unique (run_id, citation_key)
);
comment on table ai.message_citations is
    'What the numbers in an answer stand for. A conversation keeps its quotations when their source is deleted or hidden later.';
comment on column ai.message_citations.citation_key is 'The number in the answer: `1` where it has `[1]`.';
comment on column ai.message_citations.item_id is 'The chunk; null for a text that the request brought.';

alter table ai.message_citations enable row level security;
create policy owner_reads on ai.message_citations for select to authenticated using (user_id = (select auth.uid()));
create policy host_acts_for_owner on ai.message_citations to behalf_host
    using ((select auth.role()) = 'service_role' or user_id = (select auth.uid()))
    with check ((select auth.role()) = 'service_role' or user_id = (select auth.uid()));
create policy delegated_sees_its_own on ai.message_citations as restrictive to authenticated, behalf_host
    using (coalesce((select auth.jwt() -> 'act' ->> 'sub'), '') not like 'delegation:%'
        or exists (select from ai.agent_runs r where r.run_id = message_citations.run_id));
grant select on ai.message_citations to authenticated, service_role;
grant select, insert, update, delete on ai.message_citations to behalf_host;

alter table ai.agent_runs
    add column context_handler_id uuid,
    add column citation_candidates jsonb,
    add column warning text;
comment on column ai.agent_runs.context_handler_id is 'The search that was made before the model was asked.';
comment on column ai.agent_runs.citation_candidates is 'The passages that the answer may cite; null where citations were not asked for.';
comment on column ai.agent_runs.warning is 'Why a search before the run gave nothing.';
