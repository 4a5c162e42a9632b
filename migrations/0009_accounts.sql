-- Accounts: what users let services do in their name, what was done in whose name, and what it cost.
--
-- A delegated caller's claims carry `act.sub = 'delegation:<id>'`. Restrictive policies hold such a caller, and every tool
-- that runs for it, to the runs and sessions that it began itself, on top of what its user may see.

-- Delegations -------------------------------------------------------------------------------------------------------

create table ai.delegations (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null,
    agent_id uuid not null references ai.agents (id) on delete cascade,
    token_sha256 bytea not null unique check (octet_length(token_sha256) = 32),
    tools text[],
    label text check (char_length(label) <= 200),
    max_runs integer check (max_runs > 0),
    runs_started integer not null default 0,
    use_count bigint not null default 0,
    expires_at timestamptz not null,
    revoked_at timestamptz,
    last_used_at timestamptz,
    created_at timestamptz not null default now()
);
comment on table ai.delegations is 'What a user let a service do in their name; the token itself is not kept.';
comment on column ai.delegations.tools is 'The only tools a run may call; null is all that the agent has, now and later.';
create index delegations_of_user on ai.delegations (user_id, created_at desc);
create index on ai.delegations (agent_id);

-- Who began a conversation, where that was not its user: `act.sub` of the claims that the host bound.
alter table ai.agent_sessions add column started_by text default (auth.jwt() -> 'act' ->> 'sub');

-- Audit of what is no tool call -------------------------------------------------------------------------------------

create table ai.audit_events (
    id bigint generated always as identity primary key,
    occurred_at timestamptz not null default now(),
    action text not null,
    actor text not null,
    user_id uuid,
    object text,
    request_id text,
    details jsonb not null default '{}'
);
comment on table ai.audit_events is
    'Who did what in whose name, beside tool calls: runs begun, delegations, acting for others, keys, credits. Appended only; never secrets.';
create index audit_events_of_user on ai.audit_events (user_id, id desc);

-- Who sees what -----------------------------------------------------------------------------------------------------

do $$
declare
    tab text;
begin
    foreach tab in array array['delegations', 'audit_events'] loop
        execute format('alter table ai.%I enable row level security', tab);
        execute format($p$create policy owner_reads on ai.%I for select to authenticated
            using (user_id = (select auth.uid()))$p$, tab);
        execute format($p$create policy host_acts_for_owner on ai.%I to behalf_host
            using ((select auth.role()) = 'service_role' or user_id = (select auth.uid()))
            with check ((select auth.role()) = 'service_role' or user_id = (select auth.uid()))$p$, tab);
    end loop;
end
$$;

create policy delegated_sees_its_own on ai.agent_runs as restrictive to authenticated, behalf_host
    using (coalesce((select auth.jwt() -> 'act' ->> 'sub'), '') not like 'delegation:%'
        or actor = (select auth.jwt() -> 'act' ->> 'sub'));
create policy delegated_sees_its_own on ai.tool_calls as restrictive to authenticated, behalf_host
    using (coalesce((select auth.jwt() -> 'act' ->> 'sub'), '') not like 'delegation:%'
        or actor = (select auth.jwt() -> 'act' ->> 'sub'));
create policy delegated_sees_its_own on ai.audit_events as restrictive to authenticated, behalf_host
    using (coalesce((select auth.jwt() -> 'act' ->> 'sub'), '') not like 'delegation:%'
        or actor = (select auth.jwt() -> 'act' ->> 'sub'));
create policy delegated_sees_its_own on ai.agent_sessions as restrictive to authenticated, behalf_host
    using (coalesce((select auth.jwt() -> 'act' ->> 'sub'), '') not like 'delegation:%'
        or started_by = (select auth.jwt() -> 'act' ->> 'sub'));
create policy delegated_sees_its_own on ai.delegations as restrictive to authenticated, behalf_host
    using (coalesce((select auth.jwt() -> 'act' ->> 'sub'), '') not like 'delegation:%'
        or 'delegation:' || id = (select auth.jwt() -> 'act' ->> 'sub'));
-- The runs that are seen decide which events are.
create policy delegated_sees_its_own on ai.run_events as restrictive to authenticated, behalf_host
    using (coalesce((select auth.jwt() -> 'act' ->> 'sub'), '') not like 'delegation:%'
        or exists (select from ai.agent_runs r where r.run_id = run_events.run_id));

-- The token's hash is for the host alone.
grant select (id, user_id, agent_id, tools, label, max_runs, runs_started, use_count, expires_at, revoked_at, last_used_at,
    created_at) on ai.delegations to authenticated, service_role;
grant select, insert, update on ai.delegations to behalf_host;
grant select on ai.audit_events to authenticated, service_role;
grant select, insert on ai.audit_events to behalf_host;

-- Idempotency keys --------------------------------------------------------------------------------------------------

create table ai.idempotency_keys (
    scope bytea primary key check (octet_length(scope) = 32),
    fingerprint bytea not null,
    claim uuid not null,
    lease_until timestamptz not null,
    run_id text,
    status smallint,
    content_type text,
    body bytea,
    created_at timestamptz not null default now()
);
comment on table ai.idempotency_keys is 'What requests with an Idempotency-Key began or were answered; kept for 24 hours.';
comment on column ai.idempotency_keys.scope is 'SHA-256 of caller, method, path and key: another caller''s key is another row.';
comment on column ai.idempotency_keys.lease_until is 'A claim whose host died before it began anything is free again after this.';
create index on ai.idempotency_keys (created_at);
alter table ai.idempotency_keys enable row level security;
create policy host_manages on ai.idempotency_keys to behalf_host using (true) with check (true);
grant select, insert, update, delete on ai.idempotency_keys to behalf_host;

-- Runs at once ------------------------------------------------------------------------------------------------------

-- Counts across users, so it looks past row-level security; it answers a number and is the host's alone. The lock lasts to
-- the end of the transaction that begins a run.
create function ai.lock_and_count_runs(for_user uuid) returns bigint
    language plpgsql security definer set search_path = '' as $$
begin
    perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('behalf runs ' || coalesce(for_user::text, ''), 0));
    return (select pg_catalog.count(*) from ai.agent_runs
        where status in ('pending', 'running') and parent_run_id is null and (for_user is null or user_id = for_user));
end
$$;
revoke all on function ai.lock_and_count_runs(uuid) from public;
grant execute on function ai.lock_and_count_runs(uuid) to behalf_host;
create index agent_runs_unfinished_of_user on ai.agent_runs (user_id) where status in ('pending', 'running');

-- Usage and credits -------------------------------------------------------------------------------------------------

create table ai.usage (
    id bigint generated always as identity primary key,
    occurred_at timestamptz not null default now(),
    run_id text not null,
    user_id uuid,
    actor text not null,
    agent_id uuid not null,
    model text,
    tool text,
    prompt_tokens bigint not null default 0,
    completion_tokens bigint not null default 0,
    reasoning_tokens bigint not null default 0,
    cached_tokens bigint not null default 0,
    calls bigint not null default 0,
    cost bigint not null default 0
);
comment on table ai.usage is
    'One row for each run that ended (tool is null) and one for each of its tools; direct calls are in ai.tool_calls.';
comment on column ai.usage.cost is 'Milli-credits, by the prices of the moment; only what succeeded costs anything.';
create unique index on ai.usage (run_id, coalesce(tool, ''));
create index on ai.usage (user_id, occurred_at);
create index on ai.usage (occurred_at);

create table ai.credit_accounts (
    account text primary key,
    balance bigint not null default 0
);
comment on table ai.credit_accounts is 'Sums of the ledger, changed with it; the row is locked while credits are held back or charged.';

create table ai.credit_ledger (
    id bigint generated always as identity primary key,
    created_at timestamptz not null default now(),
    account text not null,
    user_id uuid,
    amount bigint not null,
    kind text not null check (kind in ('grant', 'refund', 'charge')),
    idempotency_key text not null unique,
    run_id text,
    call_id uuid,
    note text,
    actor text not null,
    check (amount <> 0 and (kind = 'charge') = (amount < 0))
);
comment on table ai.credit_ledger is 'Every change of a balance, once; appended only.';
create index on ai.credit_ledger (user_id, id desc);
create unique index on ai.credit_ledger (call_id) where call_id is not null;

create table ai.credit_holds (
    key text primary key,
    account text not null,
    amount bigint not null check (amount >= 0),
    run_id text,
    until timestamptz,
    created_at timestamptz not null default now(),
    check ((run_id is null) <> (until is null))
);
comment on table ai.credit_holds is 'What work that goes on may cost: a run''s until it ends, however it ends, a call''s until its time is over.';
create index on ai.credit_holds (account);
create index on ai.credit_holds (run_id) where run_id is not null;

-- However a run ends, and whoever ends it, nothing is held back for it any longer.
create function ai.release_credit_hold() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    delete from ai.credit_holds where run_id = old.run_id;
    return null;
end
$$;
revoke all on function ai.release_credit_hold() from public;
create trigger run_ended after update of status on ai.agent_runs
    for each row when (new.status not in ('pending', 'running')) execute function ai.release_credit_hold();
create trigger run_deleted after delete on ai.agent_runs
    for each row when (old.status in ('pending', 'running')) execute function ai.release_credit_hold();

do $$
declare
    tab text;
begin
    foreach tab in array array['usage', 'credit_ledger'] loop
        execute format('alter table ai.%I enable row level security', tab);
        execute format($p$create policy owner_reads on ai.%I for select to authenticated
            using (user_id = (select auth.uid()))$p$, tab);
        execute format($p$create policy host_acts_for_owner on ai.%I to behalf_host
            using ((select auth.role()) = 'service_role' or user_id = (select auth.uid()))
            with check ((select auth.role()) = 'service_role' or user_id = (select auth.uid()))$p$, tab);
        execute format($p$create policy delegated_sees_its_own on ai.%I as restrictive to authenticated, behalf_host
            using (coalesce((select auth.jwt() -> 'act' ->> 'sub'), '') not like 'delegation:%%'
                or actor = (select auth.jwt() -> 'act' ->> 'sub'))$p$, tab);
    end loop;
    foreach tab in array array['credit_accounts', 'credit_holds'] loop
        execute format('alter table ai.%I enable row level security', tab);
        execute format('create policy host_manages on ai.%I to behalf_host using (true) with check (true)', tab);
    end loop;
end
$$;
grant select on ai.usage, ai.credit_ledger to authenticated, service_role;
grant select, insert on ai.usage, ai.credit_ledger to behalf_host;
grant select, insert, update on ai.credit_accounts to behalf_host;
grant select, insert, delete on ai.credit_holds to behalf_host;

-- Agents' own keys for model providers ------------------------------------------------------------------------------

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
alter table ai.provider_keys enable row level security;
create policy host_manages on ai.provider_keys to behalf_host using (true) with check (true);
grant select, insert, update, delete on ai.provider_keys to behalf_host;
