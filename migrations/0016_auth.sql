-- Users and their sessions: the tables of the schema `auth`. Names, columns, types, constraints and indexes are GoTrue's, so that
-- an app's foreign keys, triggers and SQL run unchanged.
--
-- They belong to a role of their own, `supabase_auth_admin`, which nobody can log in as. The host becomes that role for its
-- statements about users and inherits nothing from it. The owner of the database may read and change the tables, reference them
-- and put triggers on them. Callers and tools have no rights on them at all.
--
-- A database that has `auth.users` already (a Supabase project) keeps its own, and nothing of it is changed. `/auth/v1` is not
-- served there by this host.

-- The role, and who may become it -------------------------------------------------------------------------------------

-- Roles belong to the cluster, and a backup that was restored elsewhere comes without them. Therefore `behalf migrate` calls
-- this each time, with the host's login.
create function behalf.share_auth(host text) returns void
language plpgsql
as $$
declare
    me text := current_user;
    options text := case when current_setting('server_version_num')::integer >= 160000 then ' with inherit false, set true' else '' end;
    tab record;
    member record;
begin
    if not exists (select from behalf.decisions d where d.name = 'auth_tables' and d.value = 'ours') then
        return;
    end if;
    begin
        if not exists (select from pg_catalog.pg_roles r where r.rolname = 'supabase_auth_admin') then
            begin
                create role supabase_auth_admin nologin noinherit;
            exception when duplicate_object or unique_violation then
                -- Another database of this cluster is being migrated at the same time and created it first.
                null;
            end;
        end if;
        -- A superuser may become it anyway. A grant that is there already is not written again: other databases of the cluster may
        -- be migrated at the same time.
        for member in
            select r.rolname as name from pg_catalog.pg_roles r
            where (r.rolname = host or r.rolname = me) and not r.rolsuper
              and not exists (select from pg_catalog.pg_auth_members m
                              where m.member = r.oid and m.roleid = 'supabase_auth_admin'::regrole
                                and coalesce((to_jsonb(m) ->> 'set_option')::boolean, true))
        loop
            begin
                execute format('grant supabase_auth_admin to %I%s', member.name, options);
            exception when unique_violation then
                null;
            end;
        end loop;
    exception when insufficient_privilege then
        raise exception 'the role supabase_auth_admin belongs to somebody else; as a superuser: grant supabase_auth_admin to % with admin option', me;
    end;
    grant usage, create on schema auth to supabase_auth_admin;
    grant usage on schema behalf to supabase_auth_admin;
    grant select on behalf.decisions to supabase_auth_admin;
    if to_regprocedure('behalf.was_user(uuid)') is not null then
        grant execute on function behalf.was_user(uuid) to supabase_auth_admin;
    end if;
    if to_regprocedure('behalf.token_hook(text,jsonb)') is not null then
        grant execute on function behalf.token_hook(text, jsonb) to supabase_auth_admin;
    end if;
    for tab in
        select c.oid::regclass as name, r.rolname <> 'supabase_auth_admin' as foreign_owner
        from pg_catalog.pg_class c join pg_catalog.pg_roles r on r.oid = c.relowner
        where c.relnamespace = 'auth'::regnamespace and c.relkind = 'r'
          and (c.relname in ('users', 'identities', 'sessions', 'refresh_tokens', 'mfa_factors', 'mfa_challenges', 'mfa_amr_claims',
                             'one_time_tokens', 'flow_state', 'audit_log_entries')
               -- Those of later migrations.
               or c.relname ~ '^behalf_')
    loop
        if tab.foreign_owner then
            execute format('alter table %s owner to supabase_auth_admin', tab.name);
        end if;
        -- Only the owner may grant.
        set local role supabase_auth_admin;
        execute format('grant all on %s to %I', tab.name, me);
        execute format('set local role %I', me);
    end loop;
    for tab in
        select c.oid::regclass as name from pg_catalog.pg_class c
        where c.relnamespace = 'auth'::regnamespace and c.relkind = 'S' and c.relowner = 'supabase_auth_admin'::regrole
    loop
        set local role supabase_auth_admin;
        execute format('grant all on sequence %s to %I', tab.name, me);
        execute format('set local role %I', me);
    end loop;
end
$$;
comment on function behalf.share_auth(text) is
    'Gives the tables of users to their role, lets the host become it, and lets the owner of the database use the tables.';
revoke all on function behalf.share_auth(text) from public;

-- Users who were deleted. A user who is not in `auth.users` need not be gone: tokens of other issuers name users whom it never had.
create table behalf.deleted_users (
    user_id uuid primary key,
    deleted_at timestamptz not null default now()
);
comment on table behalf.deleted_users is 'Users whose rows were deleted from auth.users: nobody acts in their name any more.';

-- Both run with the rights of the owner of the database: whoever deletes the row, another role's cascade included, needs none.
create function behalf.user_deleted() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    insert into behalf.deleted_users (user_id) values (old.id) on conflict (user_id) do update set deleted_at = excluded.deleted_at;
    return null;
end
$$;

create function behalf.was_user(wanted uuid) returns boolean
language sql stable security definer set search_path = ''
as $$ select exists (select from behalf.deleted_users d where d.user_id = wanted) $$;
comment on function behalf.was_user(uuid) is 'Whether this user was deleted.';

create function behalf.session_ended() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    perform pg_catalog.pg_notify('behalf_session_ended', old.id::text);
    return null;
end
$$;
comment on function behalf.session_ended() is 'Tells every host that a session has ended, so that its access tokens are refused.';

-- Calls the function that an operator named, with the rights of whoever calls this one.
create function behalf.token_hook(hook text, event jsonb) returns jsonb
language plpgsql
as $$
declare
    target text := (select format('%I.%I', n.nspname, p.proname)
                    from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
                    where p.oid = (hook || '(jsonb)')::regprocedure);
    answer jsonb;
begin
    execute format('select %s($1)', target) into answer using event;
    return answer;
end
$$;
comment on function behalf.token_hook(text, jsonb) is 'Asks the function of the app that may change the claims of access tokens.';

-- The tables ----------------------------------------------------------------------------------------------------------

do $do$
begin
    -- A role of another service, such as a Supabase project's in this cluster, may do more than the host's login may get.
    if to_regclass('auth.users') is not null
        or exists (select from pg_catalog.pg_roles r where r.rolname = 'supabase_auth_admin'
                   and (r.rolcanlogin or r.rolcreaterole or r.rolsuper or r.rolbypassrls)) then
        insert into behalf.decisions (name, value) values ('auth_tables', 'theirs');
        return;
    end if;
    insert into behalf.decisions (name, value) values ('auth_tables', 'ours');

    create type auth.aal_level as enum ('aal1', 'aal2', 'aal3');
    create type auth.code_challenge_method as enum ('s256', 'plain');
    create type auth.factor_status as enum ('unverified', 'verified');
    create type auth.factor_type as enum ('totp', 'webauthn', 'phone');
    create type auth.one_time_token_type as enum (
        'confirmation_token', 'reauthentication_token', 'recovery_token',
        'email_change_token_new', 'email_change_token_current', 'phone_change_token');

    create table auth.users (
        instance_id uuid,
        id uuid not null,
        aud varchar(255),
        role varchar(255),
        email varchar(255),
        encrypted_password varchar(255),
        email_confirmed_at timestamptz,
        invited_at timestamptz,
        confirmation_token varchar(255),
        confirmation_sent_at timestamptz,
        recovery_token varchar(255),
        recovery_sent_at timestamptz,
        email_change_token_new varchar(255),
        email_change varchar(255),
        email_change_sent_at timestamptz,
        last_sign_in_at timestamptz,
        raw_app_meta_data jsonb,
        raw_user_meta_data jsonb,
        is_super_admin boolean,
        created_at timestamptz,
        updated_at timestamptz,
        phone text default null::varchar,
        phone_confirmed_at timestamptz,
        phone_change text default ''::varchar,
        phone_change_token varchar(255) default ''::varchar,
        phone_change_sent_at timestamptz,
        confirmed_at timestamptz generated always as (least(email_confirmed_at, phone_confirmed_at)) stored,
        email_change_token_current varchar(255) default ''::varchar,
        email_change_confirm_status smallint default 0,
        banned_until timestamptz,
        reauthentication_token varchar(255) default ''::varchar,
        reauthentication_sent_at timestamptz,
        is_sso_user boolean not null default false,
        deleted_at timestamptz,
        is_anonymous boolean not null default false,
        constraint users_pkey primary key (id),
        constraint users_phone_key unique (phone),
        constraint users_email_change_confirm_status_check
            check (email_change_confirm_status >= 0 and email_change_confirm_status <= 2)
    );
    comment on table auth.users is 'Auth: Stores user login data within a secure schema.';
    comment on column auth.users.is_sso_user is
        'Auth: Set this column to true when the account comes from SSO. These accounts can have duplicate emails.';
    create unique index confirmation_token_idx on auth.users (confirmation_token) where confirmation_token !~ '^[0-9 ]*$';
    create unique index recovery_token_idx on auth.users (recovery_token) where recovery_token !~ '^[0-9 ]*$';
    create unique index email_change_token_current_idx on auth.users (email_change_token_current)
        where email_change_token_current !~ '^[0-9 ]*$';
    create unique index email_change_token_new_idx on auth.users (email_change_token_new)
        where email_change_token_new !~ '^[0-9 ]*$';
    create unique index reauthentication_token_idx on auth.users (reauthentication_token)
        where reauthentication_token !~ '^[0-9 ]*$';
    create unique index users_email_partial_key on auth.users (email) where is_sso_user = false;
    comment on index auth.users_email_partial_key is
        'Auth: A partial unique index that applies only when is_sso_user is false';
    create index users_instance_id_email_idx on auth.users (instance_id, lower(email));
    create index users_instance_id_idx on auth.users (instance_id);
    create index users_is_anonymous_idx on auth.users (is_anonymous);
    -- Not GoTrue's: rows that an app's own SQL wrote have no instance.
    create index users_email_lower_idx on auth.users (lower(email));
    create index users_created_at_idx on auth.users (created_at desc, id);

    create table auth.identities (
        provider_id text not null,
        user_id uuid not null,
        identity_data jsonb not null,
        provider text not null,
        last_sign_in_at timestamptz,
        created_at timestamptz,
        updated_at timestamptz,
        email text generated always as (lower(identity_data ->> 'email')) stored,
        id uuid not null default gen_random_uuid(),
        constraint identities_pkey primary key (id),
        constraint identities_provider_id_provider_unique unique (provider_id, provider),
        constraint identities_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade
    );
    comment on table auth.identities is 'Auth: Stores identities associated to a user.';
    comment on column auth.identities.email is
        'Auth: Email is a generated column that references the optional email property in the identity_data';
    create index identities_user_id_idx on auth.identities (user_id);
    create index identities_email_idx on auth.identities (email text_pattern_ops);

    create table auth.sessions (
        id uuid not null,
        user_id uuid not null,
        created_at timestamptz,
        updated_at timestamptz,
        factor_id uuid,
        aal auth.aal_level,
        not_after timestamptz,
        refreshed_at timestamp,
        user_agent text,
        ip inet,
        tag text,
        oauth_client_id uuid,
        refresh_token_hmac_key text,
        refresh_token_counter bigint,
        scopes text,
        constraint sessions_pkey primary key (id),
        constraint sessions_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade,
        constraint sessions_scopes_length check (char_length(scopes) <= 4096)
    );
    comment on table auth.sessions is 'Auth: Stores session data associated to a user.';
    comment on column auth.sessions.not_after is
        'Auth: Not after is a nullable column that contains a timestamp after which the session should be regarded as expired.';
    comment on column auth.sessions.refresh_token_hmac_key is
        'The key with which the next refresh token follows from the one before it. Without a token it opens nothing.';
    create index sessions_user_id_idx on auth.sessions (user_id);
    create index user_id_created_at_idx on auth.sessions (user_id, created_at);
    create index sessions_not_after_idx on auth.sessions (not_after desc);
    create index sessions_oauth_client_id_idx on auth.sessions (oauth_client_id);

    create table auth.refresh_tokens (
        instance_id uuid,
        id bigserial not null,
        token varchar(255),
        user_id varchar(255),
        revoked boolean,
        created_at timestamptz,
        updated_at timestamptz,
        parent varchar(255),
        session_id uuid,
        constraint refresh_tokens_pkey primary key (id),
        constraint refresh_tokens_token_unique unique (token),
        constraint refresh_tokens_session_id_fkey foreign key (session_id) references auth.sessions (id) on delete cascade
    );
    comment on table auth.refresh_tokens is 'Auth: Store of tokens used to refresh JWT tokens once they expire.';
    comment on column auth.refresh_tokens.token is
        'sha256:… of the token, so that a reader of the table cannot sign in. Rows of an import may hold the token itself.';
    create index refresh_tokens_instance_id_idx on auth.refresh_tokens (instance_id);
    create index refresh_tokens_instance_id_user_id_idx on auth.refresh_tokens (instance_id, user_id);
    create index refresh_tokens_parent_idx on auth.refresh_tokens (parent);
    create index refresh_tokens_session_id_revoked_idx on auth.refresh_tokens (session_id, revoked);
    create index refresh_tokens_updated_at_idx on auth.refresh_tokens (updated_at desc);

    create table auth.mfa_factors (
        id uuid not null,
        user_id uuid not null,
        friendly_name text,
        factor_type auth.factor_type not null,
        status auth.factor_status not null,
        created_at timestamptz not null,
        updated_at timestamptz not null,
        secret text,
        phone text,
        last_challenged_at timestamptz,
        web_authn_credential jsonb,
        web_authn_aaguid uuid,
        last_webauthn_challenge_data jsonb,
        constraint mfa_factors_pkey primary key (id),
        constraint mfa_factors_last_challenged_at_key unique (last_challenged_at),
        constraint mfa_factors_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade
    );
    comment on table auth.mfa_factors is 'auth: stores metadata about factors';
    create unique index mfa_factors_user_friendly_name_unique on auth.mfa_factors (friendly_name, user_id)
        where trim(both from friendly_name) <> '';
    create unique index unique_phone_factor_per_user on auth.mfa_factors (user_id, phone);
    create index factor_id_created_at_idx on auth.mfa_factors (user_id, created_at);
    create index mfa_factors_user_id_idx on auth.mfa_factors (user_id);

    create table auth.mfa_challenges (
        id uuid not null,
        factor_id uuid not null,
        created_at timestamptz not null,
        verified_at timestamptz,
        ip_address inet not null,
        otp_code text,
        web_authn_session_data jsonb,
        constraint mfa_challenges_pkey primary key (id),
        constraint mfa_challenges_auth_factor_id_fkey foreign key (factor_id) references auth.mfa_factors (id) on delete cascade
    );
    comment on table auth.mfa_challenges is 'auth: stores metadata about challenge requests made';
    create index mfa_challenge_created_at_idx on auth.mfa_challenges (created_at desc);
    -- Not GoTrue's: a factor that is removed takes its challenges with it.
    create index mfa_challenges_factor_id_idx on auth.mfa_challenges (factor_id);

    create table auth.mfa_amr_claims (
        session_id uuid not null,
        created_at timestamptz not null,
        updated_at timestamptz not null,
        authentication_method text not null,
        id uuid not null,
        constraint amr_id_pk primary key (id),
        constraint mfa_amr_claims_session_id_authentication_method_pkey unique (session_id, authentication_method),
        constraint mfa_amr_claims_session_id_fkey foreign key (session_id) references auth.sessions (id) on delete cascade
    );
    comment on table auth.mfa_amr_claims is
        'auth: stores authenticator method reference claims for multi factor authentication';

    create table auth.one_time_tokens (
        id uuid not null,
        user_id uuid not null,
        token_type auth.one_time_token_type not null,
        token_hash text not null,
        relates_to text not null,
        created_at timestamp not null default now(),
        updated_at timestamp not null default now(),
        constraint one_time_tokens_pkey primary key (id),
        constraint one_time_tokens_token_hash_check check (char_length(token_hash) > 0),
        constraint one_time_tokens_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade
    );
    create index one_time_tokens_token_hash_hash_idx on auth.one_time_tokens using hash (token_hash);
    create index one_time_tokens_relates_to_hash_idx on auth.one_time_tokens using hash (relates_to);
    create unique index one_time_tokens_user_id_token_type_key on auth.one_time_tokens (user_id, token_type);

    create table auth.flow_state (
        id uuid not null,
        user_id uuid,
        auth_code text,
        code_challenge_method auth.code_challenge_method,
        code_challenge text,
        provider_type text not null,
        provider_access_token text,
        provider_refresh_token text,
        created_at timestamptz,
        updated_at timestamptz,
        authentication_method text not null,
        auth_code_issued_at timestamptz,
        invite_token text,
        referrer text,
        oauth_client_state_id uuid,
        linking_target_id uuid,
        email_optional boolean not null default false,
        constraint flow_state_pkey primary key (id)
    );
    comment on table auth.flow_state is 'Stores metadata for all OAuth/SSO login flows';
    create index idx_auth_code on auth.flow_state (auth_code);
    create index idx_user_id_auth_method on auth.flow_state (user_id, authentication_method);
    create index flow_state_created_at_idx on auth.flow_state (created_at desc);

    create table auth.audit_log_entries (
        instance_id uuid,
        id uuid not null,
        payload json,
        created_at timestamptz,
        ip_address varchar(64) not null default '',
        constraint audit_log_entries_pkey primary key (id)
    );
    comment on table auth.audit_log_entries is 'Auth: Audit trail for user actions.';
    create index audit_logs_instance_id_idx on auth.audit_log_entries (instance_id);

    create trigger behalf_session_ended after delete on auth.sessions
        for each row execute function behalf.session_ended();
    create trigger behalf_user_deleted after delete on auth.users
        for each row execute function behalf.user_deleted();

    perform behalf.share_auth('behalf_host');
end
$do$;

revoke all on function behalf.user_deleted(), behalf.was_user(uuid), behalf.session_ended(), behalf.token_hook(text, jsonb) from public;

-- What other migrations know of users ---------------------------------------------------------------------------------

-- A user who is missing from a table that this host made is not gone, unless the row was deleted: the table has the host's own
-- users only, and tokens of other issuers name others. In a project's own table, everybody is.
create or replace function behalf.auth_user(wanted uuid) returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
declare
    found jsonb;
    ours boolean := exists (select from behalf.decisions d where d.name = 'auth_tables' and d.value = 'ours');
begin
    if to_regclass('auth.users') is null then
        return null;
    end if;
    execute 'select to_jsonb(u) from auth.users u where u.id = $1' into found using wanted;
    if found is null and ours and not exists (select from behalf.deleted_users d where d.user_id = wanted) then
        return null;
    end if;
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
    -- Whether somebody is banned must not be forgotten where the host itself keeps the table.
    if ours then
        raise;
    end if;
    return null;
end
$$;

-- The host is a member of the role that owns the users, and callers are not. So the role keeps by name what PUBLIC had, as every
-- other role beside the callers: the app's triggers on users run as this role.
create or replace function behalf.other_roles(logins text[]) returns setof text
language sql stable
as $$
    with caller (oid, name) as (
        select r.oid, r.rolname::text from pg_catalog.pg_roles r
        where r.rolname = any (array['anon', 'authenticated', 'service_role'] || logins))
    select r.rolname::text
    from pg_catalog.pg_roles r
    where not r.rolsuper
      and r.rolname !~ '^pg_'
      and not exists (select from caller c where c.oid = r.oid)
      -- A role that callers are members of would hand them what it gets.
      and not exists (select from caller c join pg_catalog.pg_roles o using (oid)
                      where not o.rolsuper and pg_catalog.pg_has_role(c.oid, r.oid, 'MEMBER')
                        and not (r.rolname = 'supabase_auth_admin' and c.name ~ '_host$'))
      -- The logins of other databases of this cluster; their host's login carries the comment.
      and not exists (
          select from pg_catalog.pg_roles h
          where pg_catalog.shobj_description(h.oid, 'pg_authid') like 'behalf: logins of %'
            and r.rolname in (h.rolname, pg_catalog.regexp_replace(h.rolname, '_host$', '_tool_anon'),
                              pg_catalog.regexp_replace(h.rolname, '_host$', '_tool_authenticated'),
                              pg_catalog.regexp_replace(h.rolname, '_host$', '_tool_service')))
$$;

-- A database that was migrated before has revoked these already.
do $do$
declare
    item record;
begin
    if not exists (select from behalf.decisions d where d.name = 'auth_tables' and d.value = 'ours') then
        return;
    end if;
    for item in select t.object from behalf.taken_from_public t where t.object like 'function %' loop
        begin
            execute format('grant execute on %s to supabase_auth_admin', item.object);
        exception when insufficient_privilege or undefined_function then
            null;
        end;
    end loop;
end
$do$;
