-- Runs of agents: the sessions (conversations) they belong to, their events, what another host needs to resume them, the
-- approvals they wait for, and the feedback that they got.
--
-- One host at a time works on a run. Two columns of `ai.agent_runs` decide which host:
--   * `lease_until`: the host renews this lease while it works. Where the lease has ended, another host may take the run over.
--   * `epoch`: a host that takes a run over raises it. Each write for the run, and each commit of a tool's transaction, names
--     the epoch of its host and is refused where the run's epoch is higher. A lease alone cannot do this, because it cannot
--     tell a dead host from a slow one.
-- `ai.run_resume_state` and `ai.run_journal` hold what the next host needs to go on. Their rows are deleted when the run ends.
-- docs/adr/0006-durable-runs.md gives the reasons.

-- Sessions ----------------------------------------------------------------------------------------------------------

create table ai.agent_sessions (
    id uuid primary key default gen_random_uuid(),
    session_id text not null unique check (char_length(session_id) between 1 and 255),
    agent_id uuid not null references ai.agents (id) on delete cascade,
    user_id uuid,
    started_by text default (auth.jwt() -> 'act' ->> 'sub'),
    session_data jsonb not null default '{}',
    metadata jsonb not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table ai.agent_sessions is 'Conversations of a user with an agent.';
comment on column ai.agent_sessions.user_id is 'Whose session it is; null where the service role works in its own name.';
comment on column ai.agent_sessions.started_by is
    'Who began the session in the user''s name: `act.sub` of the claims that the host set; null where the user began it.';
create index on ai.agent_sessions (user_id, agent_id, updated_at desc);
create index agent_sessions_of_agent on ai.agent_sessions (agent_id, updated_at desc);

alter table ai.agent_sessions enable row level security;
create policy owner_reads on ai.agent_sessions for select to authenticated using (user_id = (select auth.uid()));
call behalf.create_host_acts_for_owner('ai.agent_sessions');
call behalf.create_delegated_sees_its_own('ai.agent_sessions', $$started_by = (select auth.jwt() -> 'act' ->> 'sub')$$);
grant select on ai.agent_sessions to authenticated;
grant select, insert, update, delete on ai.agent_sessions to service_role, behalf_host;

-- Runs --------------------------------------------------------------------------------------------------------------

create table ai.agent_runs (
    id uuid primary key default gen_random_uuid(),
    run_id text not null unique,
    session_id text not null references ai.agent_sessions (session_id) on delete cascade,
    is_new_session boolean not null default false,
    agent_id uuid not null,
    user_id uuid,
    actor text not null,
    parent_run_id text,
    depth integer not null default 0,
    status text not null default 'running'
        check (status in ('pending', 'running', 'completed', 'failed', 'cancelled')),
    model text,
    input_messages jsonb not null default '[]',
    retrieved_context jsonb not null default '[]',
    output_messages jsonb not null default '[]',
    content text,
    steps jsonb not null default '[]',
    reasoning_steps jsonb not null default '[]',
    tool_calls jsonb not null default '[]',
    usage jsonb not null default '{}',
    error text,
    lease_until timestamptz,
    epoch bigint not null default 1,
    takeovers integer not null default 0,
    cancel_requested_at timestamptz,
    started_at timestamptz not null default now(),
    completed_at timestamptz,
    created_at timestamptz not null default now()
);
comment on table ai.agent_runs is 'One row for each answer of an agent, while it is worked on and afterwards.';
comment on column ai.agent_runs.is_new_session is 'Whether the session began with this run.';
comment on column ai.agent_runs.agent_id is 'No foreign key: the session has one, and deleting an agent deletes its sessions with their runs.';
comment on column ai.agent_runs.user_id is 'Whose run it is; null where the service role works in its own name.';
comment on column ai.agent_runs.actor is 'Who asked for it: the user''s id, `delegation:<id>`, or `service_role`.';
comment on column ai.agent_runs.parent_run_id is 'The run whose agent asked this one as a tool.';
comment on column ai.agent_runs.depth is 'How many runs are above this one; limited, so that agents do not ask each other without end.';
comment on column ai.agent_runs.retrieved_context is 'The passages that stood in the instructions, in their order.';
comment on column ai.agent_runs.lease_until is 'Until when the run''s host is taken to be alive; it renews this while it works.';
comment on column ai.agent_runs.epoch is 'Raised by each host that takes the run over; only the newest may go on.';
comment on column ai.agent_runs.takeovers is
    'How often a host took the run over. The number is limited, because the run itself may be what ends its hosts.';
comment on column ai.agent_runs.cancel_requested_at is
    'When somebody asked to cancel the run. It is stored, because the request may reach another host than the run''s own.';
create index on ai.agent_runs (session_id, created_at);
create index on ai.agent_runs (user_id, created_at desc);
create index agent_runs_of_agent on ai.agent_runs (agent_id, started_at desc);
create index agent_runs_of_parent on ai.agent_runs (parent_run_id) where parent_run_id is not null;
create index agent_runs_unfinished on ai.agent_runs (lease_until) where status in ('pending', 'running');
create index agent_runs_unfinished_of_user on ai.agent_runs (user_id) where status in ('pending', 'running');

alter table ai.agent_runs enable row level security;
create policy owner_reads on ai.agent_runs for select to authenticated using (user_id = (select auth.uid()));
call behalf.create_host_acts_for_owner('ai.agent_runs');
call behalf.create_delegated_sees_its_own('ai.agent_runs');
grant select on ai.agent_runs to authenticated;
grant select, insert, update, delete on ai.agent_runs to service_role, behalf_host;

-- Counts the unfinished runs of a user, or of all users where `for_user` is null. The count for all users needs rows that the
-- caller's policies hide, therefore `security definer`; it returns a number only, and only the host may call it. The
-- advisory lock lasts until the end of the transaction that begins a run, so that two runs that begin at the same time do not
-- both take the last free place.
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

create table ai.run_events (
    run_id text not null references ai.agent_runs (run_id) on delete cascade,
    seq bigint not null,
    user_id uuid,
    event jsonb not null,
    created_at timestamptz not null default now(),
    primary key (run_id, seq)
);
comment on table ai.run_events is
    'The events of a run, as clients get them. They are stored, so that any host can show them and a client can read on later.';
comment on column ai.run_events.user_id is 'As in the run, so that the policies need no join.';

alter table ai.run_events enable row level security;
create policy owner_reads on ai.run_events for select to authenticated using (user_id = (select auth.uid()));
call behalf.create_host_acts_for_owner('ai.run_events');
-- The inner statement is subject to the policies of ai.agent_runs, so a delegated caller sees the events of its own runs.
call behalf.create_delegated_sees_its_own('ai.run_events',
    'exists (select from ai.agent_runs r where r.run_id = run_events.run_id)');
grant select on ai.run_events to authenticated;
grant select, insert, update, delete on ai.run_events to service_role, behalf_host;

-- What another host needs to resume a run ---------------------------------------------------------------------------

-- Only the host reaches these two tables: they hold the claims of a caller, and what tools returned.

create table ai.run_resume_state (
    run_id text primary key references ai.agent_runs (run_id) on delete cascade,
    user_id uuid,
    identity jsonb not null,
    request jsonb not null
);
comment on table ai.run_resume_state is 'Who asked for a run, and what was asked. The row is deleted when the run ends.';
comment on column ai.run_resume_state.identity is
    'The verified claims of whoever asked, sealed for this run with the project''s secrets: a host that takes the run over binds the same, and no others.';

alter table ai.run_resume_state enable row level security;
call behalf.create_host_acts_for_owner('ai.run_resume_state');
grant select, insert, update, delete on ai.run_resume_state to behalf_host;

create table ai.run_journal (
    run_id text not null references ai.agent_runs (run_id) on delete cascade,
    seq integer not null,
    user_id uuid,
    entry jsonb not null,
    created_at timestamptz not null default now(),
    primary key (run_id, seq)
);
comment on table ai.run_journal is 'What a run did: a model''s turn, a call begun, a call''s result.';
-- Each entry is written before the run does the next thing, so that the next host repeats nothing that is here.
comment on column ai.run_journal.seq is 'The entry''s number within the run, in the order in which things happened.';

alter table ai.run_journal enable row level security;
call behalf.create_host_acts_for_owner('ai.run_journal');
grant select, insert, update, delete on ai.run_journal to behalf_host;

-- Approvals ---------------------------------------------------------------------------------------------------------

create table ai.run_approvals (
    id uuid primary key default gen_random_uuid(),
    run_id text not null references ai.agent_runs (run_id) on delete cascade,
    agent_id uuid not null,
    user_id uuid,
    step integer not null,
    call_id text not null,
    tool_name text not null,
    tool_input jsonb not null,
    message text not null,
    status text not null default 'pending' check (status in ('pending', 'approved', 'denied', 'expired')),
    reason text,
    decided_by text,
    requested_at timestamptz not null default now(),
    expires_at timestamptz not null,
    decided_at timestamptz,
    unique (run_id, step, call_id)
);
comment on table ai.run_approvals is 'Tool calls that wait until somebody agrees, and those that were decided.';
comment on column ai.run_approvals.call_id is 'The model''s name for the call. It is unique within a step only.';
comment on column ai.run_approvals.tool_input is 'The arguments as they would be sent. What somebody agreed to holds for these arguments only.';
comment on column ai.run_approvals.expires_at is 'A call that nobody decided by then is not made.';
create index on ai.run_approvals (user_id, requested_at desc);

alter table ai.run_approvals enable row level security;
create policy owner_reads on ai.run_approvals for select to authenticated using (user_id = (select auth.uid()));
call behalf.create_host_acts_for_owner('ai.run_approvals');
call behalf.create_delegated_sees_its_own('ai.run_approvals',
    'exists (select from ai.agent_runs r where r.run_id = run_approvals.run_id)');
grant select on ai.run_approvals to authenticated, service_role;
grant select, insert, update, delete on ai.run_approvals to behalf_host;

-- Feedback ----------------------------------------------------------------------------------------------------------

create table ai.run_feedback (
    id uuid primary key default gen_random_uuid(),
    run_id text not null references ai.agent_runs (run_id) on delete cascade,
    user_id uuid,
    rating text not null check (rating in ('good', 'bad')),
    comment text check (char_length(comment) <= 2000),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique nulls not distinct (run_id, user_id)
);
comment on table ai.run_feedback is 'Whether an answer was good. Each user has one row for a run; new feedback replaces it.';
comment on column ai.run_feedback.user_id is 'Who gave it; null where the service role gave it in its own name.';
create index run_feedback_bad on ai.run_feedback (updated_at desc) where rating = 'bad';

alter table ai.run_feedback enable row level security;
create policy owner_reads on ai.run_feedback for select to authenticated using (user_id = (select auth.uid()));
call behalf.create_host_acts_for_owner('ai.run_feedback');
-- A delegated caller gives no feedback, so none is its own.
call behalf.create_delegated_sees_its_own('ai.run_feedback', 'false');
grant select on ai.run_feedback to authenticated, service_role;
grant select, insert, update, delete on ai.run_feedback to behalf_host;
