-- What the scripts beside this file read and write: each user has lists with items, and sees their own alone.

create table public.lists (
    id int primary key,
    owner_id uuid not null default auth.uid(),
    name text not null
);
create table public.items (
    id int primary key,
    list_id int not null references public.lists on delete cascade,
    owner_id uuid not null default auth.uid(),
    title text not null,
    done boolean not null default false,
    tags text[] not null default '{}',
    details jsonb
);
create table public.labels (name text primary key, color text not null);
create table public.item_labels (
    item_id int references public.items on delete cascade,
    label text references public.labels,
    primary key (item_id, label)
);
alter table public.lists enable row level security;
alter table public.items enable row level security;
alter table public.item_labels enable row level security;
create policy own on public.lists to authenticated using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));
create policy own on public.items to authenticated using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));
create policy own on public.item_labels to authenticated
    using (exists (select from public.items i where i.id = item_id))
    with check (exists (select from public.items i where i.id = item_id));

create function public.add(a int, b int) returns int language sql immutable as 'select a + b';
create function public.open_items(word text default '') returns setof public.items language sql stable as $$
    select * from public.items where not done and title like '%' || word || '%' $$;
create function public.finish(list int) returns int language sql as $$
    with changed as (update public.items set done = true where list_id = list and not done returning 1)
    select count(*)::int from changed $$;

-- Where a project grants its tables to everybody by default.
revoke all on public.lists, public.items, public.item_labels from anon;
grant select, insert, update, delete on public.lists, public.items, public.item_labels to authenticated;
grant select on public.labels to anon, authenticated;
insert into public.labels values ('urgent', 'red'), ('later', 'blue');
