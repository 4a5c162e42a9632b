-- The schema `auth`: functions that tell a policy who the caller is. Names and meaning are those of Supabase.
--
-- Each function reads one setting only, `request.jwt.claims`. The host sets it for the transaction, in the same message that
-- begins the transaction. Supabase's own functions also read an older setting, `request.jwt.claim.sub`, and prefer it. A value
-- left over there would win over the identity that the host set, so these functions do not read it.
--
-- A database that has these functions already (a Supabase project) keeps its own.

create schema if not exists auth;

do $do$
begin
    if to_regprocedure('auth.jwt()') is null then
        create function auth.jwt() returns jsonb
            language sql stable parallel safe
            as $$ select nullif(current_setting('request.jwt.claims', true), '')::jsonb $$;
    end if;
    if to_regprocedure('auth.uid()') is null then
        create function auth.uid() returns uuid
            language sql stable parallel safe
            as $$ select (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid $$;
    end if;
    if to_regprocedure('auth.role()') is null then
        create function auth.role() returns text
            language sql stable parallel safe
            as $$ select nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role' $$;
    end if;
    if to_regprocedure('auth.email()') is null then
        create function auth.email() returns text
            language sql stable parallel safe
            as $$ select nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email' $$;
    end if;
end
$do$;

comment on function auth.uid() is 'The calling user: `sub` of the verified token; null for anonymous callers and keys.';

grant usage on schema auth to anon, authenticated, service_role, behalf_host;
grant execute on function auth.jwt(), auth.uid(), auth.role(), auth.email()
    to anon, authenticated, service_role, behalf_host;
