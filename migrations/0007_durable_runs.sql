-- Runs that outlive their host.
--
-- A run is worked on by one host at a time. `epoch` counts who that is: a host that takes a run over raises it, and
-- whatever its predecessor still tries to store, or to commit through a tool, is refused from then on. The journal holds what the run
-- did so far; with what is in `run_work` any host can go on from there. Both are the host's alone, and gone when the run ends.

alter table ai.agent_runs
    add column epoch bigint not null default 1,
    add column takeovers integer not null default 0,
    add column parent_run_id text,
    add column depth integer not null default 0;

comment on column ai.agent_runs.epoch is 'Raised by each host that takes the run over; only the newest may go on.';
comment on column ai.agent_runs.parent_run_id is 'The run whose agent asked this one as a tool.';
create index agent_runs_of_parent on ai.agent_runs (parent_run_id) where parent_run_id is not null;

create table ai.run_work (
    run_id text primary key references ai.agent_runs (run_id) on delete cascade,
    user_id uuid,
    identity jsonb not null,
    request jsonb not null
);
comment on column ai.run_work.identity is 'The verified claims of whoever asked; a host that takes the run over binds the same.';

create table ai.run_journal (
    run_id text not null references ai.agent_runs (run_id) on delete cascade,
    place integer not null,
    user_id uuid,
    entry jsonb not null,
    created_at timestamptz not null default now(),
    primary key (run_id, place)
);
comment on table ai.run_journal is 'What a run did: a model''s turn, a call begun, a call''s result.';

-- Which of a model's calls an audit row is about, so that a host which takes a run over knows what was committed.
alter table ai.tool_calls
    add column step integer,
    add column model_call_id text;

-- Approvals ---------------------------------------------------------------------------------------------------------

alter table ai.agent_tools
    add column approval text not null default 'never' check (approval in ('never', 'always', 'writes')),
    add column callee_id uuid references ai.agents (id) on delete cascade;
comment on column ai.agent_tools.approval is 'Whether somebody has to agree to a call: never, always, or where the tool does not say that it only reads.';
comment on column ai.agent_tools.callee_id is 'The agent that this tool asks.';

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
create index on ai.run_approvals (user_id, requested_at desc);

-- Who sees what -----------------------------------------------------------------------------------------------------

do $$
declare
    tab text;
begin
    foreach tab in array array['run_work', 'run_journal', 'run_approvals'] loop
        execute format('alter table ai.%I enable row level security', tab);
        execute format($p$create policy host_acts_for_owner on ai.%I to behalf_host
            using ((select auth.role()) = 'service_role' or user_id = (select auth.uid()))
            with check ((select auth.role()) = 'service_role' or user_id = (select auth.uid()))$p$, tab);
        execute format('grant select, insert, update, delete on ai.%I to behalf_host', tab);
    end loop;
end
$$;

create policy owner_reads on ai.run_approvals for select to authenticated using (user_id = (select auth.uid()));
grant select on ai.run_approvals to authenticated, service_role;
