-- What a database needs whose schemas belong to another platform, such as a Supabase project: there the owner of the database may not
-- let the host use the schema `auth`, and extensions are in a schema of their own.

-- Who the host acts for -------------------------------------------------------------------------------------------------

-- They say what `auth.uid()` and its like say in the host's transactions, where the claims are bound as this host binds them. Policies
-- name the functions of `auth`, which were looked up when the policies were made; statements of the host look names up anew.
create function behalf.jwt() returns jsonb
    language sql stable parallel safe
    as $$ select nullif(current_setting('request.jwt.claims', true), '')::jsonb $$;
create function behalf.uid() returns uuid
    language sql stable parallel safe
    as $$ select coalesce(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'behalf_uid',
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid $$;
create function behalf.role() returns text
    language sql stable parallel safe
    as $$ select nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role' $$;
comment on function behalf.jwt() is 'The claims that the host bound.';
comment on function behalf.uid() is 'The user for whom the host acts; null where there is none.';
comment on function behalf.role() is 'The role of whoever the host acts for.';
revoke all on function behalf.jwt(), behalf.uid(), behalf.role() from public;
grant execute on function behalf.jwt(), behalf.uid(), behalf.role() to behalf_host;

-- These two run with the host's rights.
do $do$
declare
    name text;
begin
    foreach name in array array['behalf.own_job()', 'behalf.keep_memory(uuid,text,jsonb,smallint,text)'] loop
        execute replace(replace(replace(pg_get_functiondef(name::regprocedure),
            'auth.uid()', 'behalf.uid()'), 'auth.role()', 'behalf.role()'), 'auth.jwt()', 'behalf.jwt()');
    end loop;
end
$do$;

-- Extensions ------------------------------------------------------------------------------------------------------------

-- Where pgvector is in a schema of its own, its types and operators are reached only by whoever may use that schema. Roles belong to the
-- cluster, and a backup that was restored elsewhere comes without them; therefore `behalf migrate` calls this each time, with the host's
-- login.
create function behalf.share_extensions(host text) returns void
language plpgsql set search_path = pg_catalog
as $$
declare
    place constant regnamespace := (select e.extnamespace from pg_extension e where e.extname = 'vector');
begin
    if place is null or place in ('public'::regnamespace, 'pg_catalog'::regnamespace) then
        return;
    end if;
    if exists (select from unnest(array['anon', 'authenticated', 'service_role', host]) r (name)
               where not has_schema_privilege(r.name, place, 'usage')) then
        execute format('grant usage on schema %s to anon, authenticated, service_role, %I', place, host);
    end if;
exception when insufficient_privilege then
    raise warning 'vectors cannot be used; as the owner of the schema %: grant usage on schema % to anon, authenticated, service_role, %',
        place, place, host;
end
$$;
comment on function behalf.share_extensions(text) is 'Lets callers and the host use the schema that pgvector is in.';
revoke all on function behalf.share_extensions(text) from public;
