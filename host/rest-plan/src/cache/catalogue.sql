-- Everything that the planner knows of a database, as one JSON value. $1 are the exposed schemas, $2 the other schemas of the
-- search path. Names and types are given as they are; Rust puts them together.
with
exposed as materialized (
    select n.oid, n.nspname, pg_catalog.obj_description(n.oid, 'pg_namespace') as description
    from pg_catalog.pg_namespace n
    where n.nspname = any ($1::pg_catalog.text[])
),
searched as materialized (
    select n.oid, n.nspname from pg_catalog.pg_namespace n where n.nspname = any ($2::pg_catalog.text[])
),
internal as materialized (
    select n.oid from pg_catalog.pg_namespace n
    where n.nspname in ('pg_catalog', 'information_schema') or n.nspname like 'pg\_toast%' or n.nspname like 'pg\_temp%'
),
relations as materialized (
    select c.oid, c.relname, c.relkind, c.relispartition, c.reltype, c.relnamespace, n.nspname
    from pg_catalog.pg_class c join exposed n on n.oid = c.relnamespace
    where c.relkind in ('r', 'v', 'm', 'f', 'p')
),
columns as (
    select a.attrelid,
        pg_catalog.json_agg(pg_catalog.json_build_array(
            a.attnum,
            a.attname,
            a.atttypid::pg_catalog.int8,
            not (a.attnotnull or t.typtype = 'd' and t.typnotnull),
            case
                when t.typbasetype <> 0 and d.adbin is null then pg_catalog.pg_get_expr(t.typdefaultbin, 0)
                when a.attidentity = 'd' then (
                    select pg_catalog.format('pg_catalog.nextval(%L)', s.objid::pg_catalog.regclass)
                    from pg_catalog.pg_depend s
                    where s.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and s.refobjid = a.attrelid
                        and s.refobjsubid = a.attnum and s.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                        and s.deptype = 'i'
                    limit 1
                )
                when a.attgenerated <> '' then null
                else pg_catalog.pg_get_expr(d.adbin, d.adrelid)
            end,
            case when a.atttypmod >= 0 then pg_catalog.format_type(a.atttypid, a.atttypmod) end,
            pg_catalog.col_description(a.attrelid, a.attnum)
        ) order by a.attnum) as list
    from pg_catalog.pg_attribute a
    join relations r on r.oid = a.attrelid
    join pg_catalog.pg_type t on t.oid = a.atttypid
    left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attnum > 0 and not a.attisdropped
    group by a.attrelid
),
keys as (
    select k.oid, k.contype, k.conname, k.conrelid, k.conkey, k.confrelid, k.confkey
    from pg_catalog.pg_constraint k
    where k.contype in ('p', 'u', 'f')
        and (k.contype <> 'f' or k.conparentid = 0)
        and k.connamespace not in (select i.oid from internal i)
),
-- The rewrite rule of a view is a tree of nodes as text, and the target entries of its outermost query name the base column of
-- each view column. Braces give the depth of a node; everything but braces and those numbers is left out here.
views as (
    select c.oid, pg_catalog.regexp_replace(
        w.ev_action::pg_catalog.text,
        '(:resno \d+|:resorigtbl \d+|:resorigcol \d+|[{}])|\\.|[^{}:\\]+|:', '\1', 'g') as entries
    from pg_catalog.pg_class c
    join pg_catalog.pg_rewrite w on w.ev_class = c.oid and w.ev_type = '1'
    where c.relkind in ('v', 'm')
        and (c.relnamespace in (select e.oid from exposed e) or c.relnamespace in (select s.oid from searched s))
),
routines as materialized (
    select p.oid, p.proname, n.nspname, p.provolatile, p.proretset, p.prorows, p.prorettype, p.proargtypes, p.pronargs,
        p.pronargdefaults, p.proargnames, p.proargmodes, p.proallargtypes
    from pg_catalog.pg_proc p join exposed n on n.oid = p.pronamespace
    where p.prokind = 'f' and p.prorettype <> 'pg_catalog.trigger'::pg_catalog.regtype
),
inputs as (
    select p.oid,
        pg_catalog.json_agg(pg_catalog.json_build_array(
            coalesce(i.name, ''), i.type::pg_catalog.int8, i.place <= p.pronargs - p.pronargdefaults, coalesce(i.mode = 'v', false)
        ) order by i.place) as list
    from routines p,
        -- Only inputs have a place in proargtypes, and names and modes have places for outputs as well.
        lateral (
            select a.name, a.mode, pg_catalog.row_number() over (order by a.place) as place,
                (p.proargtypes::pg_catalog.oid[])[pg_catalog.row_number() over (order by a.place) - 1] as type
            from (
                select x.place, p.proargnames[x.place] as name, p.proargmodes[x.place] as mode
                from pg_catalog.generate_series(1, coalesce(pg_catalog.array_length(p.proallargtypes, 1), p.pronargs)) as x(place)
            ) a
            where a.mode is null or a.mode in ('i', 'b', 'v')
        ) i
    group by p.oid
),
outputs as (
    select p.oid,
        pg_catalog.json_agg(pg_catalog.json_build_array(
            coalesce(nullif(p.proargnames[x.place], ''), 'column' || x.nth), p.proallargtypes[x.place]::pg_catalog.int8
        ) order by x.place) as list
    from routines p,
        lateral (
            select m.place, pg_catalog.row_number() over (order by m.place) as nth
            from pg_catalog.unnest(p.proargmodes) with ordinality as m(mode, place)
            where m.mode in ('o', 'b', 't')
        ) x
    group by p.oid
),
bases as materialized (
    with recursive down as (
        select t.oid, t.oid as base, t.typbasetype from pg_catalog.pg_type t where t.typtype = 'd'
        union all
        select d.oid, b.oid, b.typbasetype from down d join pg_catalog.pg_type b on b.oid = d.typbasetype
        where d.typbasetype <> 0
    )
    select d.oid, d.base from down d where d.typbasetype = 0
),
composites as (
    select t.oid, n.nspname, c.relname, c.oid as relation,
        pg_catalog.json_agg(pg_catalog.json_build_array(a.attname, a.atttypid::pg_catalog.int8) order by a.attnum) as list
    from pg_catalog.pg_type t
    join pg_catalog.pg_class c on c.oid = t.typrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where t.oid in (
        select coalesce(b.base, p.prorettype) from routines p left join bases b on b.oid = p.prorettype
    ) and c.oid not in (select r.oid from relations r)
    group by t.oid, n.nspname, c.relname, c.oid
),
computed as (
    select n.nspname, p.proname, r.oid as relation, p.prorettype, p.proretset, not p.proretset or p.prorows = 1 as one,
        (select f.oid from relations f where f.reltype = p.prorettype) as target
    from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    join relations r on r.reltype = p.proargtypes[0]
    where p.pronargs = 1 and p.prokind = 'f' and p.pronamespace not in (select i.oid from internal i)
),
-- What makes a body of another media type: aggregates over rows of a relation, or over any rows, whose result is a domain that is
-- named like the media type.
makers as (
    select n.nspname, p.proname, p.prorettype, r.oid as relation
    from pg_catalog.pg_proc p
    join exposed n on n.oid = p.pronamespace
    join pg_catalog.pg_aggregate g on g.aggfnoid = p.oid and g.aggkind = 'n'
    join pg_catalog.pg_type t on t.oid = p.prorettype and t.typtype = 'd'
    left join relations r on r.reltype = p.proargtypes[0]
    where p.prokind = 'a' and p.pronargs = 1 and pg_catalog.strpos(t.typname, '/') > 0
        and (r.oid is not null or p.proargtypes[0] = 'pg_catalog.anyelement'::pg_catalog.regtype)
),
types as (
    select t.oid, n.nspname, t.typname, t.typtype, t.typcategory, t.typelem,
        coalesce(b.base, t.oid) as base, pg_catalog.format_type(t.oid, null) as display,
        (select pg_catalog.json_agg(e.enumlabel order by e.enumsortorder) from pg_catalog.pg_enum e where e.enumtypid = t.oid) as labels
    from pg_catalog.pg_type t
    join pg_catalog.pg_namespace n on n.oid = t.typnamespace
    left join bases b on b.oid = t.oid
    where (
            n.nspname = 'pg_catalog' or n.oid in (select e.oid from exposed e) or n.oid in (select s.oid from searched s)
        ) and (
            t.typrelid = 0 or t.typrelid in (select c.oid from pg_catalog.pg_class c where c.relkind = 'c')
        ) and not exists (
            select from pg_catalog.pg_type i join pg_catalog.pg_class c on c.oid = i.typrelid
            where t.typelem = i.oid and c.relkind <> 'c'
        )
        or t.oid in (select a.atttypid from pg_catalog.pg_attribute a join relations r on r.oid = a.attrelid)
        or t.oid in (select pg_catalog.unnest(p.proargtypes::pg_catalog.oid[]) from routines p)
        or t.oid in (select pg_catalog.unnest(p.proallargtypes) from routines p)
        or t.oid in (select p.prorettype from routines p)
        or t.oid in (select c.prorettype from computed c)
        or t.oid in (select m.prorettype from makers m)
        or t.oid in (select b.base from bases b)
)
select pg_catalog.json_build_object(
    'schemas', (
        select coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(w.name, e.description) order by w.place), '[]')
        from pg_catalog.unnest($1::pg_catalog.text[]) with ordinality as w(name, place)
        left join exposed e on e.nspname = w.name
    ),
    'search', $2::pg_catalog.text[],
    'relations', (
        select coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(
            r.oid::pg_catalog.int8, r.nspname, r.relname,
            -- A partition can be read and written by its own name; relationships and descriptions are those of the whole table.
            case when r.relispartition then 't' else r.relkind end,
            -- A table takes everything; for the rest, bits 3, 2 and 4 say insert, update and delete.
            case when r.relkind in ('r', 'p') then 28 when r.relkind in ('v', 'f')
                then pg_catalog.pg_relation_is_updatable(r.oid::pg_catalog.regclass, true) else 0 end,
            pg_catalog.obj_description(r.oid, 'pg_class'),
            coalesce(c.list, '[]')
        )), '[]')
        from relations r left join columns c on c.attrelid = r.oid
    ),
    'keys', (
        select coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(
            k.contype, k.conname, k.conrelid::pg_catalog.int8, k.conkey, k.confrelid::pg_catalog.int8, k.confkey
        ) order by k.conrelid, k.conname), '[]')
        from keys k
    ),
    'views', (select coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(v.oid::pg_catalog.int8, v.entries)), '[]') from views v),
    'routines', (
        select coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(
            p.nspname, p.proname, pg_catalog.obj_description(p.oid, 'pg_proc'), p.provolatile, p.proretset,
            p.prorettype::pg_catalog.int8, coalesce(i.list, '[]'), coalesce(o.list, '[]')
        ) order by p.nspname, p.proname, p.pronargs, p.oid), '[]')
        from routines p left join inputs i on i.oid = p.oid left join outputs o on o.oid = p.oid
    ),
    'composites', (
        select coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(c.oid::pg_catalog.int8, c.nspname, c.relname, c.list)), '[]')
        from composites c
    ),
    'rows', (
        select coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(r.reltype::pg_catalog.int8, r.oid::pg_catalog.int8)), '[]')
        from relations r
        where r.reltype in (select p.prorettype from routines p) or r.reltype in (
            select b.base from routines p join bases b on b.oid = p.prorettype)
    ),
    'computed', (
        select coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(
            c.nspname, c.proname, c.relation::pg_catalog.int8, c.prorettype::pg_catalog.int8, c.proretset, c.one,
            c.target::pg_catalog.int8
        ) order by c.nspname, c.proname), '[]')
        from computed c
    ),
    'types', (
        select coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(
            t.oid::pg_catalog.int8, t.nspname, t.typname, t.typtype, t.typcategory, t.typelem::pg_catalog.int8,
            t.base::pg_catalog.int8, t.display, t.labels
        )), '[]')
        from types t
    ),
    -- How domains are shown and read: by the functions of their implicit casts to and from json and text, where one of the roles of
    -- the interface may call them.
    'casts', (
        select coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(
            case when d.oid = c.castsource then 's' when c.castsource = 'pg_catalog.json'::pg_catalog.regtype then 'j' else 't' end,
            d.oid::pg_catalog.int8, n.nspname, p.proname
        )), '[]')
        from pg_catalog.pg_cast c
        join pg_catalog.pg_proc p on p.oid = c.castfunc and p.pronargs = 1
        join pg_catalog.pg_namespace n on n.oid = p.pronamespace
        join pg_catalog.pg_type d on d.typtype = 'd' and (
            d.oid = c.castsource and c.casttarget = 'pg_catalog.json'::pg_catalog.regtype
            or d.oid = c.casttarget
                and c.castsource in ('pg_catalog.json'::pg_catalog.regtype, 'pg_catalog.text'::pg_catalog.regtype))
        where c.castcontext = 'i' and c.castmethod = 'f' and exists (
            select from pg_catalog.pg_roles o
            where o.rolname in ('anon', 'authenticated', 'service_role')
                and pg_catalog.has_schema_privilege(o.oid, n.oid, 'USAGE')
                and pg_catalog.has_function_privilege(o.oid, p.oid, 'EXECUTE'))
    ),
    'makers', (
        select coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(
            m.nspname, m.proname, m.prorettype::pg_catalog.int8, m.relation::pg_catalog.int8
        ) order by m.nspname, m.proname), '[]')
        from makers m
    ),
    'geojson', (
        select pg_catalog.json_build_array(n.nspname, p.proname)
        from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
        where p.proname = 'st_asgeojson' and p.proargtypes[0] = 'pg_catalog.record'::pg_catalog.regtype
        order by p.oid limit 1
    ),
    'timezones', (select coalesce(pg_catalog.json_agg(z.name), '[]') from pg_catalog.pg_timezone_names z)
)::pg_catalog.text
