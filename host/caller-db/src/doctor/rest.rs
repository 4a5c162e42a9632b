//! Checks of what `/rest/v1` offers to everybody who has the project's public key.

use super::check::{Check, sql};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "anon-functions",
        sound: "anon may call no function that can change something",
        sql: sql!(
            "select 'warning', format('anon may call %s of the functions that can change rows, with POST /rest/v1/rpc/…: %s', cardinality(t.names),
                     array_to_string(t.names[1:8], ', ') || case when cardinality(t.names) > 8 then format(' and %s more', cardinality(t.names) - 8) else '' end),
                 format('revoke execute on function %s from public, anon; grant execute on it to authenticated; one that changes nothing: alter function %1$s stable; where it is meant: comment on function %1$s is ''behalf: reviewed'';', t.names[1])
             from (
                 select array_agg(p.oid::regprocedure::text order by p.oid::regprocedure::text) as names
                 from pg_proc p join space s on s.oid = p.pronamespace cross join pg_roles r
                 where r.rolname = 'anon' and p.prokind = 'f' and p.provolatile = 'v' and not p.prosecdef
                   and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
                   and has_schema_privilege(r.oid, s.oid, 'USAGE') and has_function_privilege(r.oid, p.oid, 'EXECUTE')
                   and not exists (select from part e where e.classid = 'pg_proc'::regclass and e.objid = p.oid)
                   and not exists (select from reviewed v where v.classid = 'pg_proc'::regclass and v.objid = p.oid)) t
             where t.names is not null"
        ),
    },
    Check {
        name: "anon-writes",
        sound: "no policy lets anon change rows without asking who it is",
        sql: sql!(
            r"select 'warning', format('policy %I on %s lets anon, who is nobody, %s rows', t.polname, t.tab, t.verbs),
                 format('alter policy %I on %s to authenticated; or revoke %s on %2$s from anon; where it is meant: comment on policy %1$I on %2$s is ''behalf: reviewed'';', t.polname, t.tab, t.verbs)
             from (
                 select p.polname, p.polrelid::regclass as tab, string_agg(lower(k.kind), ', ' order by k.kind) as verbs
                 from pg_policy p join pg_class c on c.oid = p.polrelid join space s on s.oid = c.relnamespace
                   cross join pg_roles r
                   join (values ('INSERT', 'a'), ('UPDATE', 'w'), ('DELETE', 'd')) k (kind, cmd) on p.polcmd::text in (k.cmd, '*')
                 where r.rolname = 'anon' and p.polpermissive and (0::oid = any (p.polroles) or r.oid = any (p.polroles))
                   and has_schema_privilege(r.oid, s.oid, 'USAGE')
                   and case k.kind when 'DELETE' then has_table_privilege(r.oid, c.oid, k.kind)
                                   else has_any_column_privilege(r.oid, c.oid, k.kind) end
                   and concat_ws(' ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
                       !~* '\mauth\.|current_setting|current_user|current_role'
                   and not exists (select from reviewed v where v.classid = 'pg_policy'::regclass and v.objid = p.oid)
                 group by p.oid, p.polname, p.polrelid) t
             order by t.tab::text, t.polname"
        ),
    },
];
