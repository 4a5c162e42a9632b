-- Runs that several hosts look after.
--
-- A run is worked on by one host, which renews the run's lease while it lives. A run whose lease is over lost its host;
-- any host may then mark it failed. Cancelling is a column as well, so that a request which reaches one host stops a run
-- on another.

alter table ai.agent_runs
    add column lease_until timestamptz,
    add column cancel_requested_at timestamptz,
    add column is_new_session boolean not null default false,
    add column reasoning_steps jsonb not null default '[]';

comment on column ai.agent_runs.lease_until is 'Until when the run''s host is taken to be alive; it renews this while it works.';

create index agent_runs_unfinished on ai.agent_runs (lease_until) where status in ('pending', 'running');
create index agent_runs_of_agent on ai.agent_runs (agent_id, started_at desc);
create index agent_sessions_of_agent on ai.agent_sessions (agent_id, updated_at desc);
