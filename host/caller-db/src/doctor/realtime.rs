//! Checks of channels: the table of messages, whose policies guard private channels.

use super::check::{Check, sql};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "realtime-messages",
        sound: "policies guard private channels",
        sql: sql!(
            "select f.level, f.found, f.fix
             from pg_class c join pg_namespace n on n.oid = c.relnamespace
               join behalf.decisions d on d.name = 'realtime_tables'
               cross join lateral (values
                 (not c.relrowsecurity, 'error',
                     'realtime.messages has no row-level security: every caller may receive and send in every private channel',
                     'alter table realtime.messages enable row level security;'),
                 (d.value = 'theirs', 'skipped',
                     'realtime.messages has another form than Supabase''s, so this host serves no private channel', ''),
                 (d.value <> 'theirs' and 2 > (
                     select count(*) from pg_trigger t
                     where t.tgrelid = c.oid and t.tgname in ('behalf_refuses_trial_row', 'behalf_tells_hosts') and t.tgenabled in ('O', 'A')),
                     'warning', 'realtime.messages lacks triggers of the host: private channels are closed, and messages of SQL reach nobody',
                     'behalf migrate, with an owner who may put triggers on the table and on its parts: grant supabase_realtime_admin to that role first')
               ) f (bad, level, found, fix)
             where n.nspname = 'realtime' and c.relname = 'messages' and f.bad
               and not exists (select from reviewed v where v.classid = 'pg_class'::regclass and v.objid = c.oid)
             order by 1, 2"
        ),
    },
    Check {
        name: "realtime-policies",
        sound: "none lets everybody into every private channel",
        sql: sql!(
            r"select 'warning',
                 format('policy %I on realtime.messages lets %s %s in every private channel', p.polname,
                     case when 0::oid = any (p.polroles) or 'anon' = any (w.who) then 'everybody' else 'every user' end,
                     case p.polcmd when 'r' then 'receive' when 'a' then 'send' else 'receive and send' end),
                 format('alter policy %I on realtime.messages … with a condition on realtime.topic(); where it is meant: comment on policy %1$I on realtime.messages is ''behalf: reviewed'';', p.polname)
             from pg_policy p join pg_class c on c.oid = p.polrelid join pg_namespace n on n.oid = c.relnamespace
               cross join lateral (
                 select array_agg(r.name) from person r where r.name in ('anon', 'authenticated') and r.oid = any (p.polroles)) w (who)
               cross join lateral (
                 -- What Postgres writes of `in ('broadcast', 'presence')` looks like a call.
                 select regexp_replace(concat_ws(' ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)),
                     '\m(ANY|ALL|AND|OR|NOT|IN)\M', '', 'g')) e (text)
             where n.nspname = 'realtime' and c.relname = 'messages' and p.polpermissive and p.polcmd in ('r', 'a', '*')
               and (0::oid = any (p.polroles) or w.who is not null)
               -- Neither the channel nor the caller is asked for: no other column, no function, no table.
               and e.text !~ '\m(topic|event|payload|binary_payload|id|inserted_at|updated_at)\M|[a-z_]\s*\(|\mSELECT\M'
               and e.text !~ '^\(?false\)?$'
               and not exists (select from reviewed v where v.classid = 'pg_policy'::regclass and v.objid = p.oid)
             order by p.polname"
        ),
    },
    Check {
        name: "realtime-days",
        sound: "messages of today and tomorrow have their tables",
        sql: sql!(
            "select 'warning', format('realtime.messages has no table for the messages of %s%s', t.day,
                     case d.value when 'ours' then '; they go to realtime.messages_default' else ', which cannot be stored then' end),
                 'behalf migrate; or let a host run, which makes them every few minutes'
             from behalf.decisions d
               cross join (select (now() at time zone 'utc')::date + n as day from generate_series(0, 1) n) t
             where d.name = 'realtime_tables' and d.value <> 'theirs'
               and not exists (
                 select from pg_class c join pg_namespace n on n.oid = c.relnamespace
                 where n.nspname = 'realtime' and c.relname = 'messages_' || to_char(t.day, 'YYYY_MM_DD'))
             order by t.day"
        ),
    },
];
