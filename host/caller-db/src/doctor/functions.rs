//! Checks of functions, languages and extensions: the code that callers may run.

use super::check::{Check, sql};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "definer-functions",
        sound: "no caller may run a function with its owner's rights",
        sql: sql!(
            "select case when t.exposed and t.extension is null then 'error' else 'warning' end,
                 format('function %s runs as %I%s; %s may run it%s', t.name, t.owner, t.above, t.who, t.path),
                 format('revoke execute on function %s from public, anon, authenticated; where policies need it: read it, alter function %1$s set search_path = ''''; comment on function %1$s is ''behalf: reviewed'';', t.name)
             from (
                 select p.oid::regprocedure::text as name, o.rolname as owner, n.nspname = any ($1) as exposed, e.extension,
                     case when o.rolsuper or o.rolbypassrls then ', who is above row-level security' else '' end as above,
                     case when exists (select from unnest(p.proconfig) c (line) where c.line like 'search_path=%') then ''
                          else '; its search_path is the caller''s' end as path,
                     string_agg(distinct r.name, ', ') as who
                 from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_roles o on o.oid = p.proowner
                   left join part e on e.classid = 'pg_proc'::regclass and e.objid = p.oid
                   cross join person r
                 where p.prosecdef and p.oid >= 16384
                   and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
                   and has_schema_privilege(r.oid, n.oid, 'USAGE') and has_function_privilege(r.oid, p.oid, 'EXECUTE')
                   and not exists (select from reviewed v where v.classid = 'pg_proc'::regclass and v.objid = p.oid)
                 group by p.oid, o.rolname, o.rolsuper, o.rolbypassrls, n.nspname, e.extension) t
             order by 1, t.name"
        ),
    },
    Check {
        name: "dangerous-functions",
        sound: "set_config and the other functions that reach past the caller are closed to callers",
        sql: sql!(
            "select t.level, format('%s may run %s of the functions that reach past the caller: %s', t.who, cardinality(t.names),
                     array_to_string(t.names[1:8], ', ') || case when cardinality(t.names) > 8 then format(' and %s more', cardinality(t.names) - 8) else '' end),
                 case when t.level = 'warning' then 'not this database owner''s to revoke; a superuser can, else the SQL gate holds alone: ' else '' end
                     || format('do $$ declare f regprocedure; begin for f in select behalf.dangerous_functions() loop execute format(''revoke execute on function %%s from public, %s'', f); end loop; end $$;', t.roles)
             from (
                 select case when m.fixable then 'error' else 'warning' end as level,
                     array_agg(distinct m.name order by m.name) as names,
                     string_agg(distinct m.caller, ', ') as who, string_agg(distinct quote_ident(m.caller), ', ') as roles
                 from (
                     select p.proname::text as name, c.name as caller,
                         exists (select from fixer k where k.super or pg_has_role(k.oid, p.proowner, 'MEMBER')) as fixable
                     from behalf.dangerous_functions() f (oid) join pg_proc p on p.oid = f.oid cross join caller c
                     where has_function_privilege(c.oid, p.oid, 'EXECUTE')
                       -- What the app's own code needs is a finding of app-code.
                       and not (not c.login and 'function ' || p.oid::regprocedure = any ($5::text[]))) m
                 group by m.fixable) t
             order by 1"
        ),
    },
    Check {
        name: "languages",
        sound: "callers can write no function and no DO block",
        sql: sql!(
            "select case when exists (select from fixer k where k.super or pg_has_role(k.oid, l.lanowner, 'MEMBER')) then 'error' else 'warning' end,
                 format('%s may write code in %s', string_agg(c.name, ', ' order by c.name), l.lanname),
                 format('revoke usage on language %I from public, %s;', l.lanname, string_agg(quote_ident(c.name), ', ' order by c.name))
             from pg_language l cross join caller c
             -- In other languages only a superuser can write, whatever is granted.
             where l.lanpltrusted and has_language_privilege(c.oid, l.oid, 'USAGE')
             group by l.lanname, l.lanowner
             order by 1, l.lanname"
        ),
    },
    Check {
        name: "untrusted-functions",
        sound: "no function of an exposed schema leaves the database",
        sql: sql!(
            "select case when l.lanispl then 'error' else 'warning' end,
                 format('function %s is written in %s, which is not bound to the database; %s may run it', p.oid::regprocedure, l.lanname,
                     string_agg(c.name, ', ' order by c.name)),
                 format('revoke execute on function %s from public, %s;', p.oid::regprocedure, string_agg(quote_ident(c.name), ', ' order by c.name))
             from pg_proc p join space s on s.oid = p.pronamespace join pg_language l on l.oid = p.prolang cross join caller c
             where not l.lanpltrusted and has_schema_privilege(c.oid, s.oid, 'USAGE') and has_function_privilege(c.oid, p.oid, 'EXECUTE')
               and not exists (select from part e where e.classid = 'pg_proc'::regclass and e.objid = p.oid)
               and not exists (select from reviewed v where v.classid = 'pg_proc'::regclass and v.objid = p.oid)
             group by p.oid, l.lanispl, l.lanname
             order by 1, 2"
        ),
    },
    Check {
        name: "extensions",
        sound: "none that reaches outside the database or runs SQL text is open to callers",
        sql: sql!(
            "select case when bool_or(t.fixable) then 'error' else 'warning' end,
                 format('extension %s %s; %s may run %s of its functions', t.extname, t.what, string_agg(distinct t.caller, ', '), count(distinct t.oid)),
                 case when bool_or(t.fixable) then '' else 'as the extension''s owner: ' end
                     || format('drop extension %I; or revoke execute on all functions in schema %I from public, %s;', t.extname, t.schema, string_agg(distinct quote_ident(t.caller), ', '))
             from (
                 select x.extname, w.what, p.oid, c.name as caller, n.nspname as schema,
                     exists (select from fixer k where k.super or pg_has_role(k.oid, p.proowner, 'MEMBER')) as fixable
                 from (values
                     ('dblink', 'opens connections and runs SQL text'), ('postgres_fdw', 'opens connections'), ('mysql_fdw', 'opens connections'),
                     ('oracle_fdw', 'opens connections'), ('tds_fdw', 'opens connections'), ('wrappers', 'opens connections'),
                     ('http', 'sends HTTP requests'), ('pg_net', 'sends HTTP requests'), ('pg_curl', 'sends HTTP requests'),
                     ('aws_s3', 'reads and writes S3'), ('aws_lambda', 'calls Lambda'), ('aws_commons', 'reaches AWS'),
                     ('file_fdw', 'reads files'), ('adminpack', 'writes files'), ('pageinspect', 'reads raw pages past every policy'),
                     ('pg_walinspect', 'reads changes past every policy'), ('pgrowlocks', 'reads past every policy'),
                     ('lo', 'handles large objects'), ('pg_cron', 'runs SQL text later'), ('pg_background', 'runs SQL text elsewhere'),
                     ('pgagent', 'runs SQL text later'), ('tablefunc', 'runs SQL text'), ('xml2', 'runs SQL text'),
                     ('pg_graphql', 'runs SQL text'), ('orafce', 'runs SQL text and sends messages'), ('pldbgapi', 'reads other sessions'),
                     ('pg_stat_statements', 'shows statements of others'), ('plpython3u', 'leaves the database'), ('plperlu', 'leaves the database'),
                     ('pltclu', 'leaves the database'), ('plsh', 'leaves the database'), ('plrust', 'leaves the database'), ('pljavau', 'leaves the database'),
                     ('pgsodium', 'holds keys'), ('supabase_vault', 'holds secrets'), ('dbms_alert', 'sends messages')) w (name, what)
                   join pg_extension x on x.extname = w.name
                   join part e on e.extension = w.name and e.classid = 'pg_proc'::regclass
                   join pg_proc p on p.oid = e.objid and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype, 'language_handler'::regtype, 'fdw_handler'::regtype)
                   join pg_namespace n on n.oid = p.pronamespace
                   cross join caller c
                 where has_schema_privilege(c.oid, n.oid, 'USAGE') and has_function_privilege(c.oid, p.oid, 'EXECUTE')
                   and not exists (select from reviewed v where v.classid = 'pg_extension'::regclass and v.objid = x.oid)) t
             group by t.extname, t.what, t.schema
             order by 1, 2"
        ),
    },
    Check {
        name: "auth-functions",
        sound: "policies learn the caller from request.jwt.claims alone",
        sql: sql!(
            r"select f.level, f.found, f.fix
             from (values ('uid', 'uuid', 'coalesce(nullif(current_setting(''request.jwt.claims'', true), '''')::jsonb ->> ''behalf_uid'', nullif(current_setting(''request.jwt.claims'', true), '''')::jsonb ->> ''sub'')::uuid'),
                          ('jwt', 'jsonb', 'nullif(current_setting(''request.jwt.claims'', true), '''')::jsonb'),
                          ('role', 'text', 'nullif(current_setting(''request.jwt.claims'', true), '''')::jsonb ->> ''role'''),
                          ('email', 'text', 'nullif(current_setting(''request.jwt.claims'', true), '''')::jsonb ->> ''email''')) w (name, type, body)
               cross join lateral (select to_regprocedure(format('auth.%s()', w.name)) as oid) o
               left join pg_proc p on p.oid = o.oid
               cross join lateral (values
                 (o.oid is null, 'error', format('auth.%s() does not exist', w.name)),
                 (p.prosrc ~ 'request\.jwt\.claim\.', 'warning',
                     format('auth.%s() also reads an older setting (request.jwt.claim.…), whose value wins over the verified claims', w.name)),
                 (p.prorettype <> w.type::regtype, 'error', format('auth.%s() returns %s, not %s', w.name, p.prorettype::regtype, w.type)),
                 (exists (select from caller c where not c.login and not has_function_privilege(c.oid, o.oid, 'EXECUTE')), 'error',
                     format('not every role may run auth.%s(), so policies that use it fail', w.name))) b (bad, level, what)
               cross join lateral (values (b.level, b.what,
                 case when b.what like 'not every%' then format('grant usage on schema auth to anon, authenticated, service_role; grant execute on function auth.%s() to anon, authenticated, service_role;', w.name)
                      else format('create or replace function auth.%s() returns %s language sql stable as $$ select %s $$;%s', w.name, w.type, w.body,
                          case when o.oid is not null then ' (as its owner; a function of the platform that you cannot replace: use one of your own in policies)' else '' end) end)) f (level, found, fix)
             where b.bad
             order by 1, 2"
        ),
    },
];
