-- The table that the plugin writes to. An app that uses the plugin has it among its migrations.
create table public.bank_entries (
    id uuid primary key default gen_random_uuid(),
    owner_id uuid not null default auth.uid(),
    account text not null,
    -- What a line of a statement is known by when it comes again.
    line_key text not null,
    booked_on date not null,
    payee text not null,
    purpose text not null,
    amount numeric(14, 2) not null check (amount <> 0),
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    imported_at timestamptz not null default now(),
    unique (owner_id, account, line_key)
);
create index on public.bank_entries (owner_id, booked_on);

alter table public.bank_entries enable row level security;
create policy owner on public.bank_entries to authenticated
    using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));
-- Tools have no right of their own: this is the right of the users.
grant select, insert on public.bank_entries to authenticated, service_role;

insert into public.bank_entries (owner_id, account, line_key, booked_on, payee, purpose, amount, currency)
select owner_id, account, md5(jsonb_build_array(booked_on, payee, purpose, amount, currency, 1)::text),
       booked_on, payee, purpose, amount, currency
from (values
    ('a11ce000-0000-4000-8000-000000000001'::uuid, 'Giro', date '2026-03-02', 'Green Grocer', 'Karte 4711', -42.10::numeric(14, 2), 'EUR'),
    ('b0b00000-0000-4000-8000-000000000002', 'Giro', date '2026-03-02', 'mark_bob_entries_garage', 'mark_bob_entries_brakes', -412.37, 'EUR')
) as entry (owner_id, account, booked_on, payee, purpose, amount, currency);
