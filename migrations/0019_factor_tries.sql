-- Tries of second factors: what GoTrue's tables have no column for. The step of the last code that was used, so that no code is
-- used twice, and how many codes in a row were wrong, so that guessing takes too long.

do $do$
begin
    -- A project's own tables are left alone; /auth/v1 is not served there.
    if not exists (select from behalf.decisions d where d.name = 'auth_tables' and d.value = 'ours') then
        return;
    end if;

    create table auth.behalf_factor_tries (
        factor_id uuid primary key references auth.mfa_factors (id) on delete cascade,
        last_step bigint not null default 0,
        failures integer not null default 0,
        failed_at timestamptz
    );
    comment on table auth.behalf_factor_tries is 'The last code of a second factor that was used, and wrong codes since then.';
    comment on column auth.behalf_factor_tries.last_step is 'Steps of 30 seconds since 1970. Codes of this step and earlier ones count no more.';

    alter table auth.behalf_factor_tries owner to supabase_auth_admin;
end
$do$;
