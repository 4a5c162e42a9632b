-- What `behalf dev` starts with: two users, private rows, row-level security. Runs again without harm.

create table if not exists public.expenses (
    id uuid primary key default gen_random_uuid(),
    owner_id uuid not null default auth.uid(),
    spent_on date not null,
    merchant text not null,
    category text not null,
    amount numeric(12, 2) not null check (amount > 0),
    currency text not null default 'EUR',
    note text
);
create index if not exists expenses_owner on public.expenses (owner_id, spent_on);

create table if not exists public.budgets (
    owner_id uuid not null default auth.uid(),
    category text not null,
    monthly_limit numeric(12, 2) not null check (monthly_limit > 0),
    primary key (owner_id, category)
);

create table if not exists public.notes (
    id uuid primary key default gen_random_uuid(),
    owner_id uuid not null default auth.uid(),
    title text not null,
    body text not null,
    created_at timestamptz not null default now()
);
create index if not exists notes_owner on public.notes (owner_id, created_at);

do $$
declare
    tab text;
begin
    foreach tab in array array['expenses', 'budgets', 'notes'] loop
        execute format('alter table public.%I enable row level security', tab);
        if not exists (select from pg_policies where schemaname = 'public' and tablename = tab and policyname = 'owner') then
            execute format('create policy owner on public.%I to authenticated
                using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()))', tab);
        end if;
        execute format('grant select, insert, update, delete on public.%I to authenticated, service_role', tab);
    end loop;
end
$$;

insert into public.expenses (id, owner_id, spent_on, merchant, category, amount)
select md5('expense' || who || n)::uuid, who::uuid, current_date - n * 4,
       merchant, category, amount
from (values
    ('a11ce000-0000-4000-8000-000000000001', 1, 'Green Grocer', 'food', 42.10), ('a11ce000-0000-4000-8000-000000000001', 2, 'Railways', 'travel', 89.00),
    ('a11ce000-0000-4000-8000-000000000001', 3, 'Book Shop', 'books', 23.50), ('a11ce000-0000-4000-8000-000000000001', 4, 'Green Grocer', 'food', 37.85),
    ('a11ce000-0000-4000-8000-000000000001', 5, 'Power Company', 'home', 64.20), ('a11ce000-0000-4000-8000-000000000001', 6, 'Cinema', 'leisure', 18.00),
    ('b0b00000-0000-4000-8000-000000000002', 1, 'Motor Repairs', 'car', 412.00), ('b0b00000-0000-4000-8000-000000000002', 2, 'Petrol Station', 'car', 71.30),
    ('b0b00000-0000-4000-8000-000000000002', 3, 'Steak House', 'food', 58.90), ('b0b00000-0000-4000-8000-000000000002', 4, 'Petrol Station', 'car', 66.75)
) as t (who, n, merchant, category, amount)
on conflict (id) do nothing;

insert into public.budgets (owner_id, category, monthly_limit) values
    ('a11ce000-0000-4000-8000-000000000001', 'food', 60), ('a11ce000-0000-4000-8000-000000000001', 'travel', 150), ('b0b00000-0000-4000-8000-000000000002', 'car', 300)
on conflict do nothing;

insert into public.notes (id, owner_id, title, body, created_at) values
    (md5('note-a1')::uuid, 'a11ce000-0000-4000-8000-000000000001', 'Garden', 'Alice plants tomatoes in April.', '2026-04-02 10:00Z'),
    (md5('note-a2')::uuid, 'a11ce000-0000-4000-8000-000000000001', 'Safe', 'Alice keeps the spare key under the blue pot.', '2026-05-11 18:30Z'),
    (md5('note-b1')::uuid, 'b0b00000-0000-4000-8000-000000000002', 'Car', 'Bob''s car needs new brakes.', '2026-03-21 08:15Z')
on conflict (id) do nothing;
