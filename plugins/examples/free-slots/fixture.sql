-- The table that the plugin reads. An app that uses the plugin has it among its migrations.
create table public.events (
    id uuid primary key default gen_random_uuid(),
    owner_id uuid not null default auth.uid(),
    title text not null,
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    -- What is in the calendar and takes no time, such as a birthday.
    is_free boolean not null default false,
    check (ends_at >= starts_at)
);
create index on public.events (owner_id, starts_at);

alter table public.events enable row level security;
create policy owner on public.events to authenticated
    using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));
grant select on public.events to authenticated, service_role;

-- A week in March 2026, in winter time (UTC+1).
insert into public.events (owner_id, title, starts_at, ends_at, is_free) values
    ('a11ce000-0000-4000-8000-000000000001', 'mark_alice_events_standup', '2026-03-02 09:00+01', '2026-03-02 10:30+01', false),
    ('a11ce000-0000-4000-8000-000000000001', 'mark_alice_events_call', '2026-03-02 10:00+01', '2026-03-02 11:00+01', false),
    ('a11ce000-0000-4000-8000-000000000001', 'mark_alice_events_late', '2026-03-02 16:30+01', '2026-03-02 18:00+01', false),
    ('a11ce000-0000-4000-8000-000000000001', 'mark_alice_events_trip', '2026-03-03 00:00+01', '2026-03-05 00:00+01', false),
    ('a11ce000-0000-4000-8000-000000000001', 'mark_alice_events_birthday', '2026-03-05 00:00+01', '2026-03-06 00:00+01', true),
    ('a11ce000-0000-4000-8000-000000000001', 'mark_alice_events_nothing', '2026-03-05 12:00+01', '2026-03-05 12:00+01', false),
    ('b0b00000-0000-4000-8000-000000000002', 'mark_bob_events_garage', '2026-03-02 08:15+01', '2026-03-02 16:10+01', false),
    ('b0b00000-0000-4000-8000-000000000002', 'mark_bob_events_brakes', '2026-03-05 09:00+01', '2026-03-05 16:20+01', false);
