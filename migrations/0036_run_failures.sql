-- What model endpoints say of runs that failed.

create table ai.run_failures (
    run_id text primary key references ai.agent_runs (run_id) on delete cascade,
    reason text not null,
    occurred_at timestamptz not null default now()
);
comment on table ai.run_failures is
    'Why a run failed, in the words of the model''s endpoint. They may tell of the host''s settings, so the service role alone reads them; users read ai.agent_runs.error.';

alter table ai.run_failures enable row level security;
create policy host_acts_for_service on ai.run_failures to behalf_host
    using ((select auth.role()) = 'service_role') with check ((select auth.role()) = 'service_role');
-- A run ends in its caller's name. The inner statement is subject to the policies of ai.agent_runs.
create policy host_ends_runs on ai.run_failures for insert to behalf_host
    with check (exists (select from ai.agent_runs r where r.run_id = run_failures.run_id));
grant select on ai.run_failures to service_role;
grant select, insert, update, delete on ai.run_failures to behalf_host;

comment on column ai.agent_runs.warning is 'Why a search before the run gave nothing, and which tools the agent did not get.';
