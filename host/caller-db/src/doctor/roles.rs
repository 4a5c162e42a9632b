//! Checks of roles and logins: the rights of a tool's session, and those it could gain.

use super::check::{Check, sql};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "tool-logins",
        sound: "there is one per role, and each can log in and nothing more",
        sql: sql!(
            "select 'error', format('role %s does not exist', w.name), 'behalf migrate'
             from wanted w
             where not exists (select from caller c where c.name = w.name)
             union all
             select 'error', format('%s is %s', r.rolname, f.word), format('alter role %I %s;', r.rolname, f.fix)
             from caller c join pg_roles r on r.oid = c.oid
               cross join lateral (values
                 (r.rolsuper, 'a superuser', 'nosuperuser'),
                 (r.rolbypassrls and r.rolname <> 'service_role', 'above row-level security (BYPASSRLS)', 'nobypassrls'),
                 (r.rolcreaterole, 'allowed to make roles (CREATEROLE)', 'nocreaterole'),
                 (r.rolcreatedb, 'allowed to make databases (CREATEDB)', 'nocreatedb'),
                 (r.rolreplication, 'allowed to replicate every row (REPLICATION)', 'noreplication'),
                 (r.rolinherit and c.login, 'inheriting what its role may (INHERIT)', 'noinherit'),
                 (not r.rolcanlogin and c.login, 'not allowed to log in', 'login')) f (bad, word, fix)
             where f.bad
             union all
             select 'warning', format('%s can log in by itself', r.rolname), format('alter role %I nologin;', r.rolname)
             from caller c join pg_roles r on r.oid = c.oid where r.rolcanlogin and not c.login
             union all
             select case when r.rolvaliduntil < now() then 'error' else 'warning' end,
                 format('the password of %s ends %s', r.rolname, r.rolvaliduntil), format('alter role %I valid until ''infinity'';', r.rolname)
             from pg_roles r
             where (r.rolname = $2 or exists (select from caller c where c.oid = r.oid)) and r.rolcanlogin
               and r.rolvaliduntil < now() + interval '14 days'
             order by 1, 2"
        ),
    },
    Check {
        name: "memberships",
        sound: "each login leads to its one role, and no role leads further",
        sql: sql!(
            "select case when m.name = 'service_role' then 'warning' else 'error' end,
                 format('%s is a member of %s', m.name, g.rolname), format('revoke %I from %I;', g.rolname, m.name)
             from pg_auth_members a join caller m on m.oid = a.member join pg_roles g on g.oid = a.roleid
             where not exists (select from wanted w where w.name = m.name and w.leads_to = g.rolname)
             union all
             select 'error', format('%s is a member of %s with %s', m.name, g.rolname, f.word),
                 format('revoke %s option for %I from %I;', f.word, g.rolname, m.name)
             from pg_auth_members a join caller m on m.oid = a.member join pg_roles g on g.oid = a.roleid
               -- Postgres 15 has no inherit_option.
               cross join lateral (values ('admin', a.admin_option), ('inherit', (to_jsonb(a) ->> 'inherit_option')::boolean)) f (word, bad)
             where f.bad and m.login
             union all
             select 'error', format('%s is not a member of %s', w.name, w.leads_to), format('grant %I to %I;', w.leads_to, w.name)
             from wanted w join caller l on l.name = w.name join caller r on r.name = w.leads_to
             where not pg_has_role(l.oid, r.oid, 'MEMBER')
             order by 1, 2"
        ),
    },
    Check {
        name: "ownership",
        sound: "neither callers nor the host own anything; owners are above row-level security",
        sql: sql!(
            "select case when o.name = 'service_role' then 'warning' else 'error' end,
                 format('%s owns %s', o.name, array_to_string((array_agg(o.thing order by o.thing))[1:5], ', ')
                     || case when count(*) > 5 then format(' and %s more', count(*) - 5) else '' end),
                 format('reassign owned by %I to %I;', o.name, (select r.rolname from pg_roles r join fixer k using (oid) order by k.super desc, r.rolname limit 1))
             from (select coalesce(c.name, h.rolname) as name, pg_describe_object(d.classid, d.objid, d.objsubid) as thing
                   from pg_shdepend d
                     left join caller c on c.oid = d.refobjid
                     left join pg_roles h on h.oid = d.refobjid and h.rolname = $2
                   where d.refclassid = 'pg_authid'::regclass and d.deptype = 'o' and (c.oid is not null or h.oid is not null)
                     and d.dbid in (0, (select b.oid from pg_database b where b.datname = current_database()))) o
             group by o.name order by o.name"
        ),
    },
    Check {
        name: "create-rights",
        sound: "callers can make nothing, not even temporary tables",
        sql: sql!(
            "select case when exists (select from fixer k where k.super or pg_has_role(k.oid, d.datdba, 'MEMBER')) then 'error' else 'warning' end,
                 format('%s may use %s on the database', string_agg(c.name, ', ' order by c.name), k.kind),
                 format('revoke %s on database %I from public, %s;', lower(k.kind), d.datname, string_agg(quote_ident(c.name), ', ' order by c.name))
             from pg_database d cross join (values ('TEMPORARY'), ('CREATE')) k (kind) cross join caller c
             where d.datname = current_database() and has_database_privilege(c.oid, d.oid, k.kind)
               and not (k.kind = 'TEMPORARY' and not c.login and 'temporary' = any ($5::text[]))
             group by d.datname, d.datdba, k.kind
             union all
             select 'error', format('%s may make objects in schema %I', string_agg(c.name, ', ' order by c.name), n.nspname),
                 format('revoke create on schema %I from public, %s;', n.nspname, string_agg(quote_ident(c.name), ', ' order by c.name))
             from pg_namespace n cross join caller c
             where n.nspname !~ '^pg_(temp|toast)' and has_schema_privilege(c.oid, n.oid, 'CREATE')
             group by n.nspname
             order by 1, 2"
        ),
    },
    Check {
        name: "host-login",
        sound: "it is bound by policies as everybody else",
        sql: sql!(
            "select 'error', format('role %s does not exist', $2), 'behalf migrate'
             where not exists (select from pg_roles r where r.rolname = $2)
             union all
             select 'error', format('the host''s login %s is %s', h.rolname, f.word), f.fix
             from pg_roles h
               cross join lateral (values
                 (h.rolsuper, 'a superuser', format('alter role %I nosuperuser; or use %s_host in BEHALF_HOST_DATABASE_URL', h.rolname, $4)),
                 (h.rolbypassrls, 'above row-level security (BYPASSRLS)', format('alter role %I nobypassrls;', h.rolname)),
                 (h.rolcreaterole, 'allowed to make roles (CREATEROLE)', format('alter role %I nocreaterole;', h.rolname)),
                 (h.rolcreatedb, 'allowed to make databases (CREATEDB)', format('alter role %I nocreatedb;', h.rolname)),
                 (h.rolreplication, 'allowed to replicate every row (REPLICATION)', format('alter role %I noreplication;', h.rolname)),
                 (exists (select from caller c where c.login and c.oid = h.oid), 'a tool''s login', format('use %s_host in BEHALF_HOST_DATABASE_URL', $4)),
                 (h.oid = (select d.datdba from pg_database d where d.datname = current_database()), 'the owner of the database',
                     format('use %s_host in BEHALF_HOST_DATABASE_URL', $4)),
                 (h.rolname <> $4 || '_host' and not pg_has_role(h.oid, coalesce((select b.oid from pg_roles b where b.rolname = $4 || '_host'), h.oid), 'USAGE'),
                     format('not %s_host, which the policies of schema ai name', $4), format('use %s_host in BEHALF_HOST_DATABASE_URL', $4))) f (bad, word, fix)
             where h.rolname = $2 and f.bad
             union all
             select 'error', format('the host''s login %s can become %s, who is above row-level security', h.rolname, r.rolname),
                 format('revoke %I from %I;', r.rolname, h.rolname)
             from pg_roles h join pg_roles r on r.oid <> h.oid and (r.rolsuper or r.rolbypassrls) and pg_has_role(h.oid, r.oid, 'MEMBER')
             where h.rolname = $2 and not h.rolsuper
             union all
             select 'error', format('the host''s login %s is a member of %s, which %s', h.rolname, w.name, w.what),
                 format('revoke %I from %I;', w.name, h.rolname)
             from pg_roles h
               cross join (values ('pg_read_all_data', 'reads every table'), ('pg_write_all_data', 'writes every table'),
                 ('pg_read_server_files', 'reads the server''s files'), ('pg_write_server_files', 'writes the server''s files'),
                 ('pg_execute_server_program', 'runs programs on the server'), ('pg_maintain', 'maintains every table')) w (name, what)
               join pg_roles r on r.rolname = w.name
             where h.rolname = $2 and not h.rolsuper and pg_has_role(h.oid, r.oid, 'MEMBER')
             order by 1, 2"
        ),
    },
    Check {
        name: "activity",
        sound: "what tools' sessions run is not shown to others",
        sql: sql!(
            "select 'warning', format('track_activities is on for %s: sessions of the same login see each other''s statements', string_agg(c.name, ', ' order by c.name)),
                 string_agg(format('alter role %I set track_activities = off;', c.name), ' ' order by c.name) || ' (as a superuser)'
             from caller c
             where c.login
               and not coalesce((
                 select split_part(s.line, '=', 2) = 'off'
                 from pg_db_role_setting d cross join lateral unnest(d.setconfig) s (line)
                 where d.setrole = c.oid and split_part(s.line, '=', 1) = 'track_activities'
                   and d.setdatabase in (0, (select b.oid from pg_database b where b.datname = current_database()))
                 order by d.setdatabase desc limit 1), false)
             having count(*) > 0"
        ),
    },
    Check {
        name: "parameters",
        sound: "no caller was granted a server setting",
        sql: sql!(
            "select 'error', format('%s may set %s', string_agg(c.name, ', ' order by c.name), p.parname),
                 format('revoke all on parameter %s from public, %s;', p.parname, string_agg(quote_ident(c.name), ', ' order by c.name))
             from pg_parameter_acl p cross join caller c
             where has_parameter_privilege(c.oid, p.parname, 'SET, ALTER SYSTEM')
             group by p.parname order by p.parname"
        ),
    },
];
