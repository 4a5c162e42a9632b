-- The app whose channels realtime.mjs and channels.py use: members hear in a room, some of them speak in it, and tasks are their owner's.

create table public.members (room text not null, user_id uuid not null, speaks boolean not null default true);
alter table public.members enable row level security;
create policy own on public.members for select to authenticated using (user_id = (select auth.uid()));
grant select on public.members to authenticated;

create policy "members hear" on realtime.messages for select to authenticated
    using (exists (select from public.members m where m.room = (select realtime.topic())));
create policy "members speak" on realtime.messages for insert to authenticated
    with check (exists (select from public.members m where m.room = (select realtime.topic()) and m.speaks));

create table public.tasks (
    id bigint generated always as identity primary key,
    owner uuid not null default auth.uid(),
    list text not null,
    title text
);
alter table public.tasks enable row level security;
alter table public.tasks replica identity full;
create policy own on public.tasks to authenticated using (owner = (select auth.uid())) with check (owner = (select auth.uid()));
grant select, insert, update, delete on public.tasks to authenticated;

-- With the rights of who calls it.
create function public.say(room text, words text) returns void language sql as
    $$ select realtime.send(jsonb_build_object('words', words), 'said', room, true) $$;

do $$
begin
    if not exists (select from pg_publication where pubname = 'supabase_realtime') then
        create publication supabase_realtime;
    end if;
    alter publication supabase_realtime add table public.tasks;
end
$$;
