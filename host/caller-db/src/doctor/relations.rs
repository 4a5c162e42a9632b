//! Checks of tables, views and policies, which decide the rows that a caller sees.

use super::check::{Check, sql};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "exposed-schemas",
        sound: "they exist and hold no secrets of the platform",
        sql: sql!(
            "select 'error', format('schema %s is exposed to tools; it is the platform''s own', e.name),
                 format('take %s out of BEHALF_EXPOSED_SCHEMAS', e.name)
             from unnest($1) e (name)
             where e.name ~ '^pg_'
                or e.name in ('information_schema', 'auth', 'behalf', 'behalf_kv', 'behalf_realtime', 'realtime', 'vault', 'pgsodium', 'cron', 'net', 'supabase_functions')
             union all
             select 'skipped', format('schema %s does not exist', e.name), ''
             from unnest($1) e (name) where not exists (select from space s where s.name = e.name)
             order by 1, 2"
        ),
    },
    Check {
        name: "row-level-security",
        sound: "on for every table that callers may touch",
        sql: sql!(
            "select case when t.extension is null then 'error' else 'warning' end,
                 format('%s has no row-level security; %s may %s every row', t.name, t.who, t.verbs),
                 format('alter table %s enable row level security;', t.name)
             from (
                 select c.oid::regclass::text as name, p.extension, string_agg(distinct r.name, ', ') as who,
                     string_agg(distinct lower(k.kind), ', ') as verbs
                 from pg_class c
                   join space s on s.oid = c.relnamespace
                   left join part p on p.classid = 'pg_class'::regclass and p.objid = c.oid
                   cross join person r
                   cross join (values ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE')) k (kind)
                 where c.relkind in ('r', 'p') and not c.relrowsecurity
                   and has_schema_privilege(r.oid, s.oid, 'USAGE')
                   and case k.kind when 'DELETE' then has_table_privilege(r.oid, c.oid, k.kind)
                                   else has_any_column_privilege(r.oid, c.oid, k.kind) end
                   and not exists (select from reviewed v where v.classid = 'pg_class'::regclass and v.objid = c.oid)
                 group by c.oid, p.extension) t
             order by t.name"
        ),
    },
    Check {
        name: "policies",
        sound: "every guarded table has one",
        sql: sql!(
            "select 'warning', format('%s has row-level security and no policy: callers see nothing of it', c.oid::regclass),
                 format('create policy owner on %s to authenticated using (owner_id = (select auth.uid())); or revoke the grants on it', c.oid::regclass)
             from pg_class c join space s on s.oid = c.relnamespace
             where c.relkind in ('r', 'p') and c.relrowsecurity
               and not exists (select from pg_policy p where p.polrelid = c.oid)
               and exists (select from person r where has_schema_privilege(r.oid, s.oid, 'USAGE')
                             and has_any_column_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE'))
               and not exists (select from reviewed v where v.classid = 'pg_class'::regclass and v.objid = c.oid)
             order by c.oid::regclass::text"
        ),
    },
    Check {
        name: "open-policies",
        sound: "none lets everybody through",
        sql: sql!(
            "select 'warning', format('policy %I on %s lets every caller %s', p.polname, p.polrelid::regclass,
                     case p.polcmd when 'r' then 'read every row' when 'a' then 'insert any row'
                                   when 'w' then 'update every row' when 'd' then 'delete every row'
                                   else 'read and write every row' end),
                 format('alter policy %I on %s … with a condition on (select auth.uid()); where it is meant: comment on policy %1$I on %2$s is ''behalf: reviewed'';',
                     p.polname, p.polrelid::regclass)
             from pg_policy p join pg_class c on c.oid = p.polrelid join space s on s.oid = c.relnamespace
             where p.polpermissive
               and (p.polcmd <> 'a' and pg_get_expr(p.polqual, p.polrelid) ~ '^\\(?(true|1 = 1)\\)?$'
                 or p.polcmd in ('a', 'w', '*') and pg_get_expr(p.polwithcheck, p.polrelid) ~ '^\\(?(true|1 = 1)\\)?$')
               and (0::oid = any (p.polroles) or exists (select from person r where r.oid = any (p.polroles)))
               and exists (select from person r where has_any_column_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE'))
               and not exists (select from reviewed v where v.classid = 'pg_policy'::regclass and v.objid = p.oid)
             order by p.polrelid::regclass::text, p.polname"
        ),
    },
    Check {
        name: "policy-sources",
        sound: "policies trust verified claims only",
        sql: sql!(
            r"select 'warning',
                 case when t.text ~ 'user_meta_?data' then format('policy %I on %s trusts user metadata, which users write themselves', t.polname, t.tab)
                      else format('policy %I on %s trusts a setting other than request.jwt.claims, which this host does not bind', t.polname, t.tab) end,
                 format('rewrite the policy with auth.uid() or app_metadata: alter policy %I on %s …;', t.polname, t.tab)
             from (select p.oid, p.polname, p.polrelid::regclass as tab,
                       concat_ws(' ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) as text
                   from pg_policy p join pg_class c on c.oid = p.polrelid join space s on s.oid = c.relnamespace) t
             where t.text ~ 'user_meta_?data|current_setting\((?!''request\.jwt\.claims'')'
               and not exists (select from reviewed v where v.classid = 'pg_policy'::regclass and v.objid = t.oid)
             order by t.tab::text, t.polname"
        ),
    },
    Check {
        name: "views",
        sound: "each shows what its caller may see",
        sql: sql!(
            "select case when t.extension is null then 'error' else 'warning' end,
                 format('view %s shows what its owner %I may see, not what the caller may; %s may use it', t.name, t.owner, t.who),
                 format('alter view %s set (security_invoker = true);', t.name)
             from (
                 select c.oid::regclass::text as name, o.rolname as owner, p.extension, string_agg(distinct r.name, ', ') as who
                 from pg_class c join space s on s.oid = c.relnamespace
                   join pg_roles o on o.oid = c.relowner
                   left join part p on p.classid = 'pg_class'::regclass and p.objid = c.oid
                   cross join person r
                 where c.relkind = 'v'
                   and not coalesce((select w.option_value::boolean from pg_options_to_table(c.reloptions) w
                                     where w.option_name = 'security_invoker'), false)
                   and has_schema_privilege(r.oid, s.oid, 'USAGE')
                   and (has_any_column_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE') or has_table_privilege(r.oid, c.oid, 'DELETE'))
                   and not exists (select from reviewed v where v.classid = 'pg_class'::regclass and v.objid = c.oid)
                 group by c.oid, o.rolname, p.extension) t
             order by t.name"
        ),
    },
    Check {
        name: "rows-without-policies",
        sound: "no materialized view, foreign table or foreign server is open to callers",
        sql: sql!(
            "select 'error', format('%s %s cannot have row-level security; %s may read it',
                     case c.relkind when 'm' then 'materialized view' else 'foreign table' end, c.oid::regclass, string_agg(distinct r.name, ', ')),
                 format('revoke all on %s from public, anon, authenticated;', c.oid::regclass)
             from pg_class c join space s on s.oid = c.relnamespace cross join person r
             where c.relkind in ('m', 'f')
               and has_schema_privilege(r.oid, s.oid, 'USAGE')
               and has_any_column_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE')
               and not exists (select from reviewed v where v.classid = 'pg_class'::regclass and v.objid = c.oid)
             group by c.oid, c.relkind
             union all
             select 'error', format('foreign server %I is open to %s', f.srvname, string_agg(distinct r.name, ', ')),
                 format('revoke all on foreign server %I from public, anon, authenticated;', f.srvname)
             from pg_foreign_server f cross join person r
             where has_server_privilege(r.oid, f.oid, 'USAGE')
             group by f.srvname
             order by 2"
        ),
    },
    Check {
        name: "table-rights",
        sound: "callers may read and write rows, nothing more",
        sql: sql!(
            "select 'warning', format('%s granted on %s in schema %I: %s', t.rights, case when t.sequences then 'sequences' else 'tables' end, t.space,
                     array_to_string(t.names[1:5], ', ') || case when cardinality(t.names) > 5 then format(' and %s more', cardinality(t.names) - 5) else '' end),
                 format('revoke %s on all %s in schema %I from public, anon, authenticated; the first of them ignores or goes around policies',
                     lower(t.rights), case when t.sequences then 'sequences' else 'tables' end, t.space)
             from (
                 select s.name as space, c.relkind = 'S' as sequences, array_agg(distinct c.relname::text) as names,
                     string_agg(distinct a.privilege_type, ', ' order by a.privilege_type) as rights
                 from pg_class c join space s on s.oid = c.relnamespace cross join lateral aclexplode(c.relacl) a
                 where (a.grantee = 0 or exists (select from person r where r.oid = a.grantee))
                   and (c.relkind in ('r', 'p', 'v', 'm', 'f') and a.privilege_type in ('TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN')
                     or c.relkind = 'S' and a.privilege_type = 'UPDATE')
                   and not exists (select from part p where p.classid = 'pg_class'::regclass and p.objid = c.oid)
                 group by s.name, c.relkind = 'S') t
             order by t.space, t.sequences"
        ),
    },
    Check {
        name: "default-privileges",
        sound: "new tables give callers rows at most",
        sql: sql!(
            "select 'warning', format('new %s of %I in %s give %s to %s', t.things, t.owner, t.place, t.rights, t.who),
                 format('alter default privileges for role %I%s revoke %s on %s from %s;', t.owner, t.within, lower(t.rights), t.things, t.who)
             from (
                 select o.rolname as owner, coalesce('schema ' || n.nspname, 'every schema') as place,
                     coalesce(' in schema ' || quote_ident(n.nspname), '') as within,
                     case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' else 'schemas' end as things,
                     string_agg(distinct a.privilege_type, ', ') as rights, string_agg(distinct coalesce(r.name, 'public'), ', ') as who
                 from pg_default_acl d join pg_roles o on o.oid = d.defaclrole
                   left join pg_namespace n on n.oid = d.defaclnamespace
                   cross join lateral aclexplode(d.defaclacl) a
                   left join person r on r.oid = a.grantee
                 where (d.defaclnamespace = 0 or n.nspname = any ($1))
                   and (r.oid is not null or a.grantee = 0)
                   and (d.defaclobjtype = 'r' and (a.grantee = 0 or a.privilege_type in ('TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN'))
                     or d.defaclobjtype = 'S' and a.privilege_type = 'UPDATE'
                     or d.defaclobjtype = 'n' and a.privilege_type = 'CREATE')
                 group by o.rolname, n.nspname, d.defaclobjtype) t
             order by 2"
        ),
    },
];
