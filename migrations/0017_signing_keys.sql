-- Keys that sign the access tokens of this project's own sessions, and `auth.uid()` for users of other issuers.
--
-- The private keys are encrypted with a key that the database never sees, and hosts make the public keys of them. So nobody can
-- add a key to this table by SQL alone: a row that does not open counts for nothing. What SQL can do is take keys away.

create table ai.signing_keys (
    id uuid primary key,
    algorithm text not null check (algorithm in ('ES256', 'RS256')),
    status text not null default 'standby' check (status in ('standby', 'current', 'previous', 'revoked')),
    public_jwk jsonb not null check (jsonb_typeof(public_jwk) = 'object'),
    key_id text,
    nonce bytea,
    sealed bytea,
    created_at timestamptz not null default now(),
    promoted_at timestamptz,
    retired_at timestamptz,
    revoked_at timestamptz,
    -- A revoked key is of no more use, so nothing of it is kept that could sign.
    constraint sealed_unless_revoked check ((status = 'revoked') = (sealed is null)
        and (sealed is null) = (nonce is null) and (sealed is null) = (key_id is null))
);
comment on table ai.signing_keys is
    'Keys that sign access tokens. Hosts accept the tokens of standby, current and previous keys, and publish these; the current one signs.';
comment on column ai.signing_keys.id is 'The key''s id, `kid` of its tokens.';
comment on column ai.signing_keys.public_jwk is 'For readers. Hosts make the public key of the private one.';
comment on column ai.signing_keys.key_id is 'Which key encrypted the private key.';
create unique index signing_keys_current on ai.signing_keys ((true)) where status = 'current';

alter table ai.signing_keys enable row level security;
create policy host_acts_for_service on ai.signing_keys to behalf_host
    using ((select auth.role()) = 'service_role') with check ((select auth.role()) = 'service_role');
-- Only the host reads it: no caller needs more than the published key set.
grant select, insert, update on ai.signing_keys to behalf_host;

create trigger audited after insert or update or delete on ai.signing_keys for each row execute function behalf.audit_change(
    'signing_key', 'id', 'id,algorithm,status,key_id', '', 'sealed', '');

create function behalf.tell_signing_keys() returns trigger
language plpgsql set search_path = '' as $$
begin
    notify behalf_signing_keys;
    return null;
end
$$;
revoke all on function behalf.tell_signing_keys() from public;
create trigger told after insert or update or delete or truncate on ai.signing_keys
    for each statement execute function behalf.tell_signing_keys();

-- A user of another issuer than the project's own has an id of this host in the claim `behalf_uid`, which only the host sets. Only
-- a function that is still the one of 0002_auth.sql is replaced: that of another platform is not ours to change. Hosts look at
-- what the function does, and bind the id as `sub` where it does not read the claim.
do $do$
declare
    ours constant text := $$ select (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid $$;
begin
    if exists (select from pg_catalog.pg_proc p
        where p.oid = to_regprocedure('auth.uid()') and p.prosrc = ours and pg_has_role(current_user, p.proowner, 'USAGE'))
    then
        create or replace function auth.uid() returns uuid
            language sql stable parallel safe
            as $$ select coalesce(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'behalf_uid',
                nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid $$;
        comment on function auth.uid() is
            'The calling user: `behalf_uid` of the claims, which the host sets for users of other issuers, else `sub` of the verified token; null for anonymous callers and keys.';
    end if;
end
$do$;

-- The audit log names a user of another issuer by the same id.
do $do$
begin
    execute replace(pg_get_functiondef('behalf.audit_change()'::regprocedure),
        $$claims ->> 'sub', claims ->> 'role'$$, $$claims ->> 'behalf_uid', claims ->> 'sub', claims ->> 'role'$$);
end
$do$;

-- Whether `auth.uid()` reads the claim: asked of the function itself, so that it does not matter who wrote it. It runs with the
-- rights of the owner, who may set the claims; a function that carries the setting would need a superuser to make it.
create function behalf.uid_reads_mapped() returns boolean
language plpgsql security definer
set search_path = ''
as $$
declare
    before text := current_setting('request.jwt.claims', true);
    reads boolean;
begin
    perform pg_catalog.set_config('request.jwt.claims',
        '{"sub":"00000000-0000-4000-8000-000000000001","behalf_uid":"00000000-0000-5000-8000-000000000002"}', true);
    reads := auth.uid() is not distinct from '00000000-0000-5000-8000-000000000002'::uuid;
    perform pg_catalog.set_config('request.jwt.claims', coalesce(before, ''), true);
    return reads;
end
$$;
comment on function behalf.uid_reads_mapped() is 'Whether auth.uid() reads the claim behalf_uid.';
revoke all on function behalf.uid_reads_mapped() from public;
grant execute on function behalf.uid_reads_mapped() to behalf_host;
