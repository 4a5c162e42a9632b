-- Accounts: who did what in whose name (the audit log), what users let services do for them (delegations), and what it cost
-- (usage and credits).

-- Audit log: tool calls ---------------------------------------------------------------------------------------------

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
    step integer,
    model_call_id text,
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
comment on column ai.tool_calls.actor is 'Who made the request: the user''s id, `delegation:<id>`, or the role of a caller without a user.';
comment on column ai.tool_calls.run_id is 'No foreign key, as for agent and session: the log outlives what it tells of.';
comment on column ai.tool_calls.model_call_id is
    'The model''s name for the call. With run and step it lets a host that takes the run over find what the call committed.';
comment on column ai.tool_calls.transaction_ids is
    'The transactions that wrote. The row is committed before they are, so that no committed write lacks its row.';
comment on column ai.tool_calls.egress is 'Outbound requests: method, host, port and outcome; never a path or a body.';
comment on column ai.tool_calls.guest_us is 'How long the component itself ran, as part of `duration_us`.';
comment on column ai.tool_calls.outcome is
    '`started` stands until the call ends; a write whose host died keeps it, and `transaction_ids` with pg_xact_status() tell how it ended.';
comment on column ai.tool_calls.blame is 'Who caused a failure: the tool (`guest`), its caller, or the host.';
create index on ai.tool_calls (user_id, started_at desc);
create index on ai.tool_calls (started_at desc);
create index on ai.tool_calls (run_id) where run_id is not null;

alter table ai.tool_calls enable row level security;
create policy owner_reads on ai.tool_calls for select to authenticated using (user_id = (select auth.uid()));
call behalf.create_host_acts_for_owner('ai.tool_calls');
call behalf.create_delegated_sees_its_own('ai.tool_calls');
-- The host writes a row once and completes it once. Nobody deletes from the log, except the owner of the table.
grant select on ai.tool_calls to authenticated, service_role;
grant select, insert, update on ai.tool_calls to behalf_host;

-- Texts of tool calls -------------------------------------------------------------------------------------------------

create table ai.tool_call_texts (
    call_id uuid primary key,
    kept_at timestamptz not null default now(),
    failure text,
    faults jsonb not null default '[]',
    log jsonb not null default '[]'
);
comment on table ai.tool_call_texts is
    'What tools, their servers, the database and callers wrote during a call. It may hold values, so the service role alone reads it, and the host deletes it after some days.';
create index on ai.tool_call_texts (kept_at);

alter table ai.tool_call_texts enable row level security;
create policy host_acts_for_service on ai.tool_call_texts to behalf_host
    using ((select auth.role()) = 'service_role') with check ((select auth.role()) = 'service_role');
grant select on ai.tool_call_texts to service_role;
grant select, insert, update, delete on ai.tool_call_texts to behalf_host;

-- Audit log: everything else ----------------------------------------------------------------------------------------

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
    'Who did what in whose name, beside tool calls: runs begun, delegations, acting for others, credits, and all administration. Appended only; never secrets.';
comment on column ai.audit_events.actor is 'As in ai.tool_calls.';
comment on column ai.audit_events.user_id is 'In whose name; null where the service role acted in its own.';
create index audit_events_of_user on ai.audit_events (user_id, id desc);
create index audit_events_of_action on ai.audit_events (action, id desc);
create index audit_events_of_object on ai.audit_events (object, id desc);

alter table ai.audit_events enable row level security;
create policy owner_reads on ai.audit_events for select to authenticated using (user_id = (select auth.uid()));
call behalf.create_host_acts_for_owner('ai.audit_events');
call behalf.create_delegated_sees_its_own('ai.audit_events');
grant select on ai.audit_events to authenticated, service_role;
grant select, insert on ai.audit_events to behalf_host;

-- Delegations -------------------------------------------------------------------------------------------------------

create table ai.delegations (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null,
    agent_id uuid not null references ai.agents (id) on delete cascade,
    token_sha256 bytea not null unique check (octet_length(token_sha256) = 32),
    tools text[],
    label text check (char_length(label) <= 200),
    max_runs integer check (max_runs > 0),
    claims jsonb not null check (jsonb_typeof(claims) = 'object'),
    claims_issued_at timestamptz not null,
    runs_started integer not null default 0,
    use_count bigint not null default 0,
    expires_at timestamptz not null,
    revoked_at timestamptz,
    last_used_at timestamptz,
    created_at timestamptz not null default now()
);
comment on table ai.delegations is 'What a user let a service do in their name; the token itself is not kept.';
comment on column ai.delegations.agent_id is 'The one agent that the service may run.';
comment on column ai.delegations.tools is 'The only tools a run may call; null is all that the agent has, now and later.';
comment on column ai.delegations.claims is
    'What the user''s token said of them when they made the delegation, or of a later token when they began a run.';
comment on column ai.delegations.claims_issued_at is 'When that token was issued.';
comment on column ai.delegations.max_runs is 'How many runs the service may begin; null is any number.';
create index delegations_of_user on ai.delegations (user_id, created_at desc);
create index on ai.delegations (agent_id);

alter table ai.delegations enable row level security;
create policy owner_reads on ai.delegations for select to authenticated using (user_id = (select auth.uid()));
call behalf.create_host_acts_for_owner('ai.delegations');
call behalf.create_delegated_sees_its_own('ai.delegations', $$'delegation:' || id = (select auth.jwt() -> 'act' ->> 'sub')$$);
-- All columns but `token_sha256`, `claims` and `claims_issued_at`, which only the host may read.
grant select (id, user_id, agent_id, tools, label, max_runs, runs_started, use_count, expires_at, revoked_at, last_used_at,
    created_at) on ai.delegations to authenticated, service_role;
grant select, insert, update on ai.delegations to behalf_host;

-- Usage -------------------------------------------------------------------------------------------------------------

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
comment on column ai.usage.run_id is 'No foreign key: usage stays when the run is deleted.';
comment on column ai.usage.cost is 'Milli-credits, by the prices of the moment; only what succeeded costs anything.';
create unique index on ai.usage (run_id, coalesce(tool, ''));
create index on ai.usage (user_id, occurred_at);
create index on ai.usage (occurred_at);

alter table ai.usage enable row level security;
create policy owner_reads on ai.usage for select to authenticated using (user_id = (select auth.uid()));
call behalf.create_host_acts_for_owner('ai.usage');
call behalf.create_delegated_sees_its_own('ai.usage');
grant select on ai.usage to authenticated, service_role;
grant select, insert on ai.usage to behalf_host;

-- Credits -----------------------------------------------------------------------------------------------------------

-- Amounts are whole milli-credits.

create table ai.credit_accounts (
    account text primary key,
    balance bigint not null default 0
);
comment on table ai.credit_accounts is 'Sums of the ledger, changed with it; the row is locked while credits are held back or charged.';
comment on column ai.credit_accounts.account is '`user:` and the user''s id, or `project` where all users share one account.';

alter table ai.credit_accounts enable row level security;
create policy host_manages on ai.credit_accounts to behalf_host using (true) with check (true);
grant select, insert, update on ai.credit_accounts to behalf_host;

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
comment on column ai.credit_ledger.idempotency_key is 'Says what the change is for. It is unique, so that a repeated attempt changes nothing.';
create index on ai.credit_ledger (user_id, id desc);
create unique index on ai.credit_ledger (call_id) where call_id is not null;

alter table ai.credit_ledger enable row level security;
create policy owner_reads on ai.credit_ledger for select to authenticated using (user_id = (select auth.uid()));
call behalf.create_host_acts_for_owner('ai.credit_ledger');
call behalf.create_delegated_sees_its_own('ai.credit_ledger');
grant select on ai.credit_ledger to authenticated, service_role;
grant select, insert on ai.credit_ledger to behalf_host;

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
comment on column ai.credit_holds.until is 'When a call''s hold ends by itself, longer than any call lasts. A run has none: a trigger deletes its hold.';
create index on ai.credit_holds (account);
create index on ai.credit_holds (run_id) where run_id is not null;

alter table ai.credit_holds enable row level security;
create policy host_manages on ai.credit_holds to behalf_host using (true) with check (true);
grant select, insert, delete on ai.credit_holds to behalf_host;

-- This is a trigger, because a run can end in many ways: it completes, it fails, another host gives it up, its session is
-- deleted. It is `security definer`, because whoever ends the run may have no rights on holds.
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

-- No later file uses the procedures of 0004_policies.sql.
drop procedure behalf.create_host_acts_for_owner(regclass);
drop procedure behalf.create_delegated_sees_its_own(regclass, text);
