-- The app of the soak: what the four recipes of docs/recipes need.

create table public.articles (
    id uuid primary key,
    owner_id uuid not null default auth.uid(),
    title text not null,
    body text not null
);
alter table public.articles enable row level security;
create policy own_articles on public.articles to authenticated
    using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));
create index on public.articles (owner_id);
grant select, insert, update, delete on public.articles to authenticated, service_role;

create table public.chat_messages (
    id uuid primary key,
    user_id uuid not null,
    payload jsonb not null
);
alter table public.chat_messages enable row level security;
create policy own_messages on public.chat_messages for select to authenticated using (user_id = (select auth.uid()));
create index on public.chat_messages (user_id);
grant select on public.chat_messages to authenticated;
grant select, insert on public.chat_messages to service_role;

create function public.broadcast_chat_message() returns trigger language plpgsql as $$
begin
    perform realtime.send(
        payload => jsonb_build_object('event', new.payload), event => 'chat_event',
        topic => 'chat:' || new.user_id::text, private => true);
    return new;
end;
$$;
create trigger chat_realtime after insert on public.chat_messages
    for each row execute function public.broadcast_chat_message();
create policy own_channel on realtime.messages for select to authenticated
    using (realtime.topic() = 'chat:' || auth.uid()::text);

insert into storage.buckets (id, name, public) values ('attachments', 'attachments', false);
create policy own_folder on storage.objects for all to authenticated
    using (bucket_id = 'attachments' and (storage.foldername(name))[1] = (select auth.uid()::text))
    with check (bucket_id = 'attachments' and (storage.foldername(name))[1] = (select auth.uid()::text));
