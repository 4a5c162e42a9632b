-- The table that the plugin reads. An app that uses the plugin has it among its migrations.
create table public.contacts (
    id uuid primary key default gen_random_uuid(),
    owner_id uuid not null default auth.uid(),
    name text not null,
    email text
);
create index on public.contacts (owner_id, id);

alter table public.contacts enable row level security;
create policy owner on public.contacts to authenticated
    using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));
grant select on public.contacts to authenticated, service_role;

insert into public.contacts (id, owner_id, name, email) values
    ('c0ac0000-0000-4000-8000-0000000000a1', 'a11ce000-0000-4000-8000-000000000001', 'Dr. Müller, Anna', 'Anna@Example.com'),
    ('c0ac0000-0000-4000-8000-0000000000a2', 'a11ce000-0000-4000-8000-000000000001', 'Anne Miller', null),
    ('c0ac0000-0000-4000-8000-0000000000a3', 'a11ce000-0000-4000-8000-000000000001', 'Łukasz Wiśniewski', 'lukasz@example.com'),
    ('c0ac0000-0000-4000-8000-0000000000a4', 'a11ce000-0000-4000-8000-000000000001', '東京 太郎', null),
    ('c0ac0000-0000-4000-8000-0000000000a5', 'a11ce000-0000-4000-8000-000000000001', '', null),
    ('c0ac0000-0000-4000-8000-0000000000b1', 'b0b00000-0000-4000-8000-000000000002', 'Anna Muller', 'muller@example.org'),
    ('c0ac0000-0000-4000-8000-0000000000b2', 'b0b00000-0000-4000-8000-000000000002', 'mark_bob_contacts_garage', null);
