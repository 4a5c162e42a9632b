-- Labels with numbers that the database gives, one of each user.
create table public.labels (
    id bigint generated always as identity primary key,
    owner_id uuid not null default auth.uid(),
    name text not null,
    unique (owner_id, name)
);
alter table public.labels enable row level security;
create policy owner on public.labels to authenticated
    using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));
grant select, insert, update on public.labels to authenticated;
insert into public.labels (owner_id, name) values
    ('a11ce000-0000-4000-8000-000000000001', 'food'), ('b0b00000-0000-4000-8000-000000000002', 'food');
