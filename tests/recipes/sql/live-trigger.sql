-- Each row of `chat_messages` is told to the channel of its user.
create or replace function public.broadcast_chat_message() returns trigger language plpgsql as $$
begin
    perform realtime.send(
        payload => jsonb_build_object('message_id', new.id, 'event', new.payload),
        event   => 'chat_event',
        topic   => 'chat:' || new.user_id::text,
        private => true
    );
    return new;
end;
$$;

create trigger chat_realtime after insert on public.chat_messages
    for each row execute function public.broadcast_chat_message();
