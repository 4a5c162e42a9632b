-- Identities that wait to be linked: what GoTrue's tables have no column for. The user of a provider is linked to a signed-in user
-- only when the app shows the verifier with which it asked, so that nobody is led to link an identity of theirs to another's account.

do $do$
begin
    -- A project's own tables are left alone; /auth/v1 is not served there.
    if not exists (select from behalf.decisions d where d.name = 'auth_tables' and d.value = 'ours') then
        return;
    end if;

    create table auth.behalf_waiting_links (
        flow_id uuid primary key references auth.flow_state (id) on delete cascade,
        profile jsonb not null
    );
    comment on table auth.behalf_waiting_links is 'What a provider said of its user, until the app that asked ends the flow.';

    alter table auth.behalf_waiting_links owner to supabase_auth_admin;
end
$do$;
