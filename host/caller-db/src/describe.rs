//! The statement that lists what a grant shows of the database.

/// Parameters: `$1` the granted schemas, `$2` the granted tables as `schema.table`, or an empty array for all.
pub(super) const DESCRIBE: &str = "\
select coalesce(jsonb_agg(t order by t ->> 'schema', t ->> 'name'), '[]')::text from (
    select jsonb_build_object('schema', n.nspname, 'name', c.relname,
        'kind', case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table' else 'table' end,
        'can', (select jsonb_agg(p) from unnest(array['select','insert','update','delete']) p
                where has_table_privilege(c.oid, p)),
        'columns', (select jsonb_agg(jsonb_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
                        'nullable', not a.attnotnull) order by a.attnum)
                    from pg_catalog.pg_attribute a
                    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                      and has_column_privilege(c.oid, a.attnum, 'select'))) as t
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname = any ($1::text[])
      and ($2::text[] = '{}' or n.nspname || '.' || c.relname = any ($2::text[]))
      and has_schema_privilege(n.oid, 'usage')
      and (has_table_privilege(c.oid, 'select, insert, update, delete') or has_any_column_privilege(c.oid, 'select'))
) x";
