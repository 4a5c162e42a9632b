-- Functions with which the conformance suite reads, changes and restores the rows of a database that was made for it, as its
-- owner.

drop schema if exists behalf_check cascade;
create schema behalf_check;

create table behalf_check.saved (tab text primary key, content jsonb not null);
create table behalf_check.denied (tab text, grantee text, verb text);

-- The project's own tables: not the platform's, and not an extension's.
create function behalf_check.tables() returns setof text language sql stable as $$
    select format('%I.%I', n.nspname, c.relname)
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and not c.relispartition
      and n.nspname !~ '^(pg_|behalf)' and n.nspname not in ('information_schema', 'ai', 'auth', 'storage', 'extensions')
      and not exists (select from pg_catalog.pg_depend d
                      where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
    order by 1
$$;

create function behalf_check.content(tab text) returns jsonb language plpgsql as $$
declare
    found jsonb;
begin
    execute format('select coalesce(jsonb_agg(to_jsonb(x) order by to_jsonb(x)::text), ''[]'') from %s x', tab) into found;
    return found;
end
$$;

create function behalf_check.rows() returns jsonb language sql as $$
    select coalesce(jsonb_object_agg(tab, behalf_check.content(tab)), '{}') from behalf_check.tables() tab
$$;

-- The first table with a row of anybody but the two users of the demo. A database that has one was not made for a check.
create function behalf_check.table_with_foreign_rows(alice text, bob text) returns text language sql as $$
    select min(tab) from behalf_check.tables() tab, jsonb_array_elements(behalf_check.content(tab)) row
    where strpos(row::text, alice) = 0 and strpos(row::text, bob) = 0
$$;

create function behalf_check.save() returns void language sql as $$
    insert into behalf_check.saved select tab, behalf_check.content(tab) from behalf_check.tables() tab
$$;

-- Turns foreign keys and triggers off for this transaction, where the owner may: they would change the rows that are restored.
create function behalf_check.disable_triggers() returns void language plpgsql as $$
begin
    perform set_config('session_replication_role', 'replica', true);
exception when insufficient_privilege then
    null;
end
$$;

create function behalf_check.restore() returns void language plpgsql as $$
declare
    one record;
    columns text;
begin
    perform behalf_check.disable_triggers();
    for one in select s.tab, s.content from behalf_check.saved s where behalf_check.content(s.tab) <> s.content loop
        execute format('delete from %s', one.tab);
        select string_agg(quote_ident(attname), ', ') into columns from pg_catalog.pg_attribute
            where attrelid = one.tab::regclass and attnum > 0 and not attisdropped and attgenerated = '';
        execute format('insert into %1$s (%2$s) overriding system value select %2$s from jsonb_populate_recordset(null::%1$s, $1)',
            one.tab, columns) using one.content;
    end loop;
end
$$;

create function behalf_check.delete_rows(subject text, mark text) returns void language plpgsql as $$
declare
    tab text;
begin
    perform behalf_check.disable_triggers();
    for tab in select behalf_check.tables() loop
        execute format('delete from %s x where strpos(to_jsonb(x)::text, $1) > 0 or strpos(to_jsonb(x)::text, $2) > 0', tab)
            using subject, mark;
    end loop;
end
$$;

create function behalf_check.deny(tab text, verbs text[]) returns void language plpgsql as $$
declare
    one record;
begin
    for one in
        select grantee, verb from unnest(array['anon', 'authenticated', 'service_role']) grantee, unnest(verbs) verb
        where has_table_privilege(grantee, tab, verb)
    loop
        insert into behalf_check.denied values (tab, one.grantee, one.verb);
        execute format('revoke %s on %s from %I', one.verb, tab, one.grantee);
    end loop;
end
$$;

create function behalf_check.allow() returns void language plpgsql as $$
declare
    one record;
begin
    for one in delete from behalf_check.denied returning * loop
        execute format('grant %s on %s to %I', one.verb, one.tab, one.grantee);
    end loop;
end
$$;
