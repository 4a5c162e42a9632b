-- Letters are counted for each client as well, so that one client does not use up the hour of all. And the log of what users did,
-- which is GoTrue's table, gets an index by which old entries are deleted.
do $do$
declare
    me text := current_user;
begin
    -- A project's own tables are left alone; /auth/v1 is not served there.
    if not exists (select from behalf.decisions d where d.name = 'auth_tables' and d.value = 'ours') then
        return;
    end if;

    -- Only the owner may change a table. After a backup was restored it may be another one.
    execute format('set local role %I', (select r.rolname from pg_catalog.pg_class c join pg_catalog.pg_roles r on r.oid = c.relowner
                                         where c.oid = 'auth.behalf_letters'::regclass));
    alter table auth.behalf_letters add column client inet;
    comment on column auth.behalf_letters.client is
        'The address of the client that asked for it, of IPv6 the network; null where an administrator did.';
    comment on table auth.behalf_letters is
        'Letters of the last hour, without whom they were to: for the limits of letters, the pause between two of them, and tries of codes.';
    create index on auth.behalf_letters (client, sent_at) where counts;

    execute format('set local role %I', (select r.rolname from pg_catalog.pg_class c join pg_catalog.pg_roles r on r.oid = c.relowner
                                         where c.oid = 'auth.audit_log_entries'::regclass));
    -- Not GoTrue's: it keeps entries for ever.
    create index audit_logs_created_at_idx on auth.audit_log_entries (created_at);
    execute format('set local role %I', me);
end
$do$;
