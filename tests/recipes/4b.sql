-- Recipe 4b of the platform's cookbook: the app keeps messages in a table of its own, and a trigger tells the user's channel of them.

create table public.chat_messages (
    id bigint generated always as identity primary key,
    user_id uuid not null default auth.uid(),
    role text not null,
    content text not null
);
alter table public.chat_messages enable row level security;
create policy own on public.chat_messages to authenticated using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
grant select, insert on public.chat_messages to authenticated, service_role;

create function public.tell_chat() returns trigger language plpgsql security definer set search_path = '' as $$
begin
    perform realtime.send(
        payload := jsonb_build_object('role', new.role, 'content', new.content),
        event := 'message',
        topic := 'chat:' || new.user_id,
        private := true
    );
    return new;
end
$$;
create trigger tell_chat after insert on public.chat_messages for each row execute function public.tell_chat();

create policy "own chat" on realtime.messages for select to authenticated
    using (realtime.topic() = 'chat:' || (select auth.uid()));
