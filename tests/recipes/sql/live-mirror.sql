-- What was said, for each user.
create table public.chat_messages (
    id bigint generated always as identity primary key,
    user_id uuid not null,
    payload jsonb not null,
    created_at timestamptz not null default now()
);
alter table public.chat_messages enable row level security;
create policy own_messages on public.chat_messages for select to authenticated using (user_id = auth.uid());
grant select on public.chat_messages to authenticated;
grant select, insert on public.chat_messages to service_role;

-- Each user hears their own channel.
create policy own_channel on realtime.messages for select to authenticated
    using (realtime.topic() = 'chat:' || auth.uid()::text);
