-- Where tools write the keys of operations. Nothing keeps a key from being there twice.
create table public.marks (
    id bigint generated always as identity primary key,
    owner_id uuid not null default auth.uid(),
    key text not null
);
create index on public.marks (owner_id);
alter table public.marks enable row level security;
create policy own on public.marks to authenticated
    using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));
grant select, insert on public.marks to authenticated;
