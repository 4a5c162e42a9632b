-- Lists every object outside the system schemas that a statement can name, and the names in pg_catalog, as rows of five
-- texts: what, schema, name, detail, extra. An ordinary login may run it. Objects that the login may not use are listed as
-- well, because a name in a statement may mean one of them. It is one statement, so that it reads one snapshot.
with recursive
  -- Trusted extensions: their functions run no SQL text and do not touch session, files or network. Their volatile functions
  -- are refused all the same (pg_trgm's set_limit writes a setting), except those that only draw random bytes.
  trusted (name) as (values ('vector'), ('pg_trgm'), ('unaccent'), ('citext'), ('fuzzystrmatch'), ('uuid-ossp'), ('pgcrypto'),
    ('hstore'), ('ltree'), ('intarray'), ('btree_gin'), ('btree_gist'), ('postgis')),
  randomized (name) as (values ('uuid_generate_v1'), ('uuid_generate_v1mc'), ('uuid_generate_v4'), ('gen_random_uuid'),
    ('gen_random_bytes'), ('gen_salt'), ('pgp_sym_encrypt'), ('pgp_sym_encrypt_bytea'), ('pgp_pub_encrypt'),
    ('pgp_pub_encrypt_bytea')),
  -- Words with which a function body may run text as SQL or change the session.
  dangerous (word) as (values ('execute'), ('set_config'), ('query_to_xml'), ('query_to_xmlschema'),
    ('query_to_xml_and_xmlschema'), ('cursor_to_xml'), ('table_to_xml'), ('schema_to_xml'), ('database_to_xml'), ('ts_stat'),
    ('ts_rewrite'), ('dblink'), ('dblink_exec'), ('lo_import'), ('lo_export'), ('pg_read_file'), ('pg_read_binary_file'),
    ('pg_ls_dir'), ('pg_sleep'), ('pg_advisory_lock'), ('pg_notify'), ('pg_terminate_backend'), ('pg_cancel_backend'),
    ('copy'), ('session_authorization'), ('reset')),
  space (oid, name) as (
    select n.oid, n.nspname from pg_catalog.pg_namespace n
    where n.nspname <> 'information_schema' and n.nspname !~ '^pg_'),
  member (classid, objid, extension) as (
    select d.classid, d.objid, e.extname from pg_catalog.pg_depend d
      join pg_catalog.pg_extension e on e.oid = d.refobjid
    where d.deptype = 'e' and d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass),
  routine as (
    select p.oid, s.name as schema, p.proname, p.provolatile, p.prosecdef, p.prokind, l.lanname, m.extension,
      coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), p.prosrc, '') as body,
      coalesce(pg_catalog.array_to_string(p.proconfig, ' '), '') as config,
      p.pronargs - p.pronargdefaults <= 1 and (p.pronargs >= 1) as unary,
      exists (select from pg_catalog.unnest(p.proargtypes) a
              where a in ('internal'::pg_catalog.regtype, 'cstring'::pg_catalog.regtype))
        or p.prorettype in ('internal'::pg_catalog.regtype, 'cstring'::pg_catalog.regtype, 'trigger'::pg_catalog.regtype,
                            'event_trigger'::pg_catalog.regtype) as inward
    from pg_catalog.pg_proc p
      join space s on s.oid = p.pronamespace
      join pg_catalog.pg_language l on l.oid = p.prolang
      left join member m on m.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and m.objid = p.oid),
  mention (oid, word) as (
    select distinct r.oid, w.word from routine r,
      pg_catalog.regexp_split_to_table(pg_catalog.lower(r.body), '[^[:alnum:]_$]+') w (word)
    where r.extension is null),
  -- A body is tainted by a dangerous word, by a language that cannot be analysed, or by the name of a tainted function.
  tainted (name) as (
    select pg_catalog.lower(r.proname) from routine r
    -- The host's own functions of this schema do one reviewed thing each, so they taint nothing that calls them.
    where (r.extension is null and r.schema <> 'behalf_realtime'
        and (r.lanname not in ('sql', 'plpgsql') and r.prokind <> 'a'
          or r.config ~* '(^| )("?role"?|"?session_authorization"?|"?request\.[^=]*)='
          or r.body ~* '\mset\s+(local|session|role|constraints)\M'
          or r.body ~* '_to_xml'
          or exists (select from mention w join dangerous d using (word) where w.oid = r.oid)))
      or r.extension is not null and r.provolatile = 'v' and r.extension not in (select name from trusted)
    union
    select pg_catalog.lower(r.proname) from tainted t
      join mention w on w.word = t.name
      join routine r on r.oid = w.oid),
  -- The base types of domains, also through domains over domains.
  domain (oid, typbasetype) as (
    select t.oid, t.typbasetype from pg_catalog.pg_type t where t.typtype = 'd'
    union all
    select d.oid, t.typbasetype from domain d join pg_catalog.pg_type t on t.oid = d.typbasetype where t.typtype = 'd'),
  classified as (
    select r.schema, r.proname, r.unary, r.provolatile,
      case
        when r.inward or r.prokind = 'p' then 'denied'
        when r.extension in (select name from trusted) and not r.prosecdef and r.lanname in ('c', 'internal', 'sql')
          and (r.provolatile = 'i' or r.provolatile = 's' and r.extension <> 'postgis'
            or r.proname in (select name from randomized)) then 'extension'
        -- Stable is not enough here: tablefunc's crosstab is stable and runs SQL text.
        when r.extension is not null and r.provolatile = 'i' and not r.prosecdef and r.lanname in ('c', 'internal')
          then 'inert'
        when r.extension is not null then 'denied'
        when r.prokind = 'a' or pg_catalog.lower(r.proname) in (select name from tainted) then 'dynamic'
        when r.prosecdef then 'definer'
        when r.provolatile = 'v' then 'volatile'
        else 'plain'
      end as detail
    from routine r),
  -- Domains with a check, of their own or of a domain below, that is not plain arithmetic: a cast runs it on any value.
  guarded (oid) as (
    select c.contypid from pg_catalog.pg_constraint c
    where c.contypid <> 0
      and (exists (select from pg_catalog.pg_depend d join pg_catalog.pg_proc p on p.oid = d.refobjid
                     join space s on s.oid = p.pronamespace join classified j on j.schema = s.name and j.proname = p.proname
                   where d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass and d.objid = c.oid
                     and d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass and j.detail not in ('plain', 'extension', 'inert'))
        or exists (select from dangerous d
                   join pg_catalog.regexp_split_to_table(pg_catalog.lower(pg_catalog.pg_get_constraintdef(c.oid)), '[^[:alnum:]_$]+') w (word)
                     using (word)))
    union
    select t.oid from guarded g join pg_catalog.pg_type t on t.typbasetype = g.oid)
select 'relation'::text, s.name::text, c.relname::text, c.relkind::text, ''::text
  from pg_catalog.pg_class c join space s on s.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
union all
select 'function', j.schema::text, j.proname::text, j.detail, case when pg_catalog.bool_or(j.unary) then 'unary' else '' end
  from classified j group by 1, 2, 3, 4
union all
select 'type', s.name::text, t.typname::text,
    case when m.extension in (select name from trusted) then 'extension'
         when m.extension is null and t.typtype in ('c', 'e', 'r', 'm', 'd') and t.oid not in (select g.oid from guarded g)
           -- A field of such a type is checked when a row is made.
           and not exists (select from pg_catalog.pg_attribute a join guarded g on g.oid = a.atttypid where a.attrelid = t.typrelid)
           and not exists (select from domain d join pg_catalog.pg_type b on b.oid = d.typbasetype
                           where d.oid = t.oid and b.typname ~ '^_?reg')
           -- A field of such a type looks names up as well.
           and not exists (select from pg_catalog.pg_attribute a join pg_catalog.pg_type f on f.oid = a.atttypid
                           where a.attrelid = t.typrelid and f.typname ~ '^_?reg') then 'plain'
         else 'denied' end, ''
  from pg_catalog.pg_type t join space s on s.oid = t.typnamespace
    left join pg_catalog.pg_class c on c.oid = t.typrelid
    left join member m on m.classid = 'pg_catalog.pg_type'::pg_catalog.regclass and m.objid = t.oid
  where (c.oid is null or c.relkind = 'c') and t.typcategory <> 'A'
union all
select 'operator', s.name::text, o.oprname::text,
    case when m.extension in (select name from trusted)
           or l.lanname in ('c', 'internal') and p.provolatile = 'i' and not p.prosecdef then 'inert'
         else coalesce(f.nspname::text, '') end,
    p.proname::text
  from pg_catalog.pg_operator o join space s on s.oid = o.oprnamespace
    join pg_catalog.pg_proc p on p.oid = o.oprcode
    join pg_catalog.pg_namespace f on f.oid = p.pronamespace
    join pg_catalog.pg_language l on l.oid = p.prolang
    left join member m on m.classid = 'pg_catalog.pg_operator'::pg_catalog.regclass and m.objid = o.oid
union all
select 'builtin', 'pg_catalog', p.proname::text, '',
    case when pg_catalog.bool_or(p.pronargs - p.pronargdefaults <= 1 and p.pronargs >= 1
                                 or p.provariadic <> 0 and p.pronargs <= 2) then 'unary' else '' end
  from pg_catalog.pg_proc p
  where p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace group by p.proname
union all
select 'builtin_type', 'pg_catalog', t.typname::text, '', ''
  from pg_catalog.pg_type t where t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace
