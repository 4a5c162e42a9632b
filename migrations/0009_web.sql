-- The HTTP interface: idempotency keys, so that a client can repeat a request without repeating its effect; and what is known
-- of users, for whoever acts in their name.

-- Idempotency keys --------------------------------------------------------------------------------------------------

create table ai.idempotency_keys (
    scope bytea primary key check (octet_length(scope) = 32),
    fingerprint bytea not null,
    claim uuid not null,
    lease_until timestamptz not null,
    run_id text,
    status smallint,
    content_type text,
    body bytea,
    created_at timestamptz not null default now()
);
comment on table ai.idempotency_keys is 'What requests with an Idempotency-Key began or were answered; kept for 24 hours.';
comment on column ai.idempotency_keys.scope is 'SHA-256 of caller, method, path and key: another caller''s key is another row.';
comment on column ai.idempotency_keys.fingerprint is 'SHA-256 of the request''s body. The same key with another body is refused.';
comment on column ai.idempotency_keys.claim is 'A random id of the request that works under the key; no other may store the answer.';
comment on column ai.idempotency_keys.lease_until is 'A claim whose host died before it began anything is free again after this.';
comment on column ai.idempotency_keys.run_id is 'The run that the request began; a repeated request gets this run.';
comment on column ai.idempotency_keys.status is 'With `content_type` and `body` the answer to a request that began no run.';
create index on ai.idempotency_keys (created_at);

alter table ai.idempotency_keys enable row level security;
create policy host_manages on ai.idempotency_keys to behalf_host using (true) with check (true);
grant select, insert, update, delete on ai.idempotency_keys to behalf_host;

-- What is known of users --------------------------------------------------------------------------------------------

create table ai.verified_claims (
    user_id uuid primary key,
    claims jsonb not null check (jsonb_typeof(claims) = 'object'),
    issued_at timestamptz not null
);
comment on table ai.verified_claims is
    'What the latest verified token of each user said of them; the host alone reads and writes it, and deletes what is old.';
comment on column ai.verified_claims.claims is 'Never the user''s id or role: the host binds those itself.';
comment on column ai.verified_claims.issued_at is 'When the token was issued. The claims of an earlier token do not replace those of a later one.';
create index on ai.verified_claims (issued_at);

alter table ai.verified_claims enable row level security;
create policy host_acts_for_owner on ai.verified_claims to behalf_host
    using ((select auth.role()) = 'service_role' or user_id = (select auth.uid()))
    with check ((select auth.role()) = 'service_role' or user_id = (select auth.uid()));
grant select, insert, update, delete on ai.verified_claims to behalf_host;

-- A user as the project's own table of users knows them: `{"suspended", "claims"}`, with the claims that a token of theirs would
-- have. Null where the project has no such table, or the owner of this function may not read it. The table may come later, and
-- its columns differ between versions; therefore the dynamic statement, and to_jsonb, which has no column that is not there.
-- It is `security definer`, because the host has no rights in schema `auth`; it tells of one user, and no password.
create function behalf.auth_user(wanted uuid) returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
declare
    found jsonb;
begin
    if to_regclass('auth.users') is null then
        return null;
    end if;
    execute 'select to_jsonb(u) from auth.users u where u.id = $1' into found using wanted;
    return jsonb_build_object(
        'suspended', found is null
            or coalesce((found ->> 'banned_until')::timestamptz > now(), false)
            or found ->> 'deleted_at' is not null,
        'claims', jsonb_strip_nulls(jsonb_build_object(
            'email', found -> 'email',
            'phone', found -> 'phone',
            'is_anonymous', found -> 'is_anonymous',
            'app_metadata', found -> 'raw_app_meta_data',
            'user_metadata', found -> 'raw_user_meta_data')));
exception when undefined_column or undefined_function or insufficient_privilege then
    return null;
end
$$;
revoke all on function behalf.auth_user(uuid) from public;
grant execute on function behalf.auth_user(uuid) to behalf_host;
