-- Tool calls in the order of their ids.
--
-- The id of a call is a UUIDv7, which begins with the time, so the primary key has the calls in the order in which they began.
-- A second index for this order would cost every call.

create index on ai.tool_calls (user_id, call_id desc);
-- Last, because nobody can read the log from here to the end of the migration.
drop index if exists ai.tool_calls_started_at_idx;
drop index if exists ai.tool_calls_user_id_started_at_idx;

comment on column ai.tool_calls.call_id is
    'A UUIDv7 of the moment when the call began: `order by call_id desc` has the newest calls first, by the primary key.';
