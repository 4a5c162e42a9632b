-- /storage/v1 asks for a bucket and an object in one message, lists pass over folders that a policy hides, and the list of all bytes
-- says how many there are.

-- What needs no caller ------------------------------------------------------------------------------------------------

-- A download from a public bucket or at a signed address, and the limits that an upload has to keep, need no caller. To become the
-- tables' owner for such a look took a transaction of four messages. This function has the owner's rights in one. It is the host's
-- alone, and returns of one bucket what requests are checked by, and of one object its row.
do $do$
declare
    me text := current_user;
begin
    if not exists (select from behalf.decisions d where d.name = 'storage_tables' and d.value = 'ours') then
        return;
    end if;

    create function behalf.look_at_object(in_bucket text, named text) returns table (
        public boolean, file_size_limit bigint, allowed_mime_types text,
        id text, bucket_id text, name text, version text, owner_id text, metadata text, user_metadata text,
        created_at text, updated_at text
    )
    language plpgsql stable rows 1
    security definer set search_path = ''
    as $$
    begin
        return query
            select coalesce(b.public, false), b.file_size_limit, to_json(b.allowed_mime_types)::text,
                o.id::text, o.bucket_id, o.name, o.version, o.owner_id, o.metadata::text, o.user_metadata::text,
                to_char(o.created_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                to_char(o.updated_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
            from storage.buckets b left join storage.objects o on o.bucket_id = b.id and o.name = $2
            where b.id = $1;
    end
    $$;
    comment on function behalf.look_at_object(text, text) is
        'A bucket, and the object of this name in it, whatever policies say: for the host, where there is no caller.';
    revoke all on function behalf.look_at_object(text, text) from public;

    set local role supabase_storage_admin;

    -- Most policies on objects compare the first folder of a name, or the owner, with the caller. With these indexes, a list
    -- under such a policy reads what the policy shows, and nothing of what it hides.
    create index behalf_objects_folder on storage.objects (bucket_id, ((storage.foldername(name))[1]), name collate "C");
    create index behalf_objects_owner on storage.objects (bucket_id, owner_id, name collate "C");

    -- Postgres looks into an index for what a policy says only where no other policy has to be asked before. A restrictive policy
    -- has to. So that there are no rows of the platform's own bucket is said by a constraint, which holds for every role.
    alter table storage.objects add constraint behalf_platform_object_check check (bucket_id <> 'sources');
    drop policy behalf_platform_objects on storage.objects;
    -- It shows nothing, and Postgres leaves it out beside any other. It says that nothing is what callers are to see where the app has
    -- no policy of its own.
    create policy behalf_no_objects on storage.objects for select to public using (false);
    comment on policy behalf_no_objects on storage.objects is 'Without another policy, callers see no objects.';

    execute format('set local role %I', me);
end
$do$;

-- As in 0023_storage.sql, and with the functions that have the rights of the tables' owner.
create or replace function behalf.share_storage(host text) returns void
language plpgsql
as $$
declare
    me text := current_user;
    modern boolean := current_setting('server_version_num')::integer >= 160000;
    tab record;
    owned record;
    member record;
begin
    if not exists (select from behalf.decisions d where d.name = 'storage_tables' and d.value = 'ours') then
        return;
    end if;
    begin
        if not exists (select from pg_catalog.pg_roles r where r.rolname = 'supabase_storage_admin') then
            begin
                create role supabase_storage_admin nologin noinherit;
            exception when duplicate_object or unique_violation then
                -- Another database of this cluster is being migrated at the same time and created it first.
                null;
            end;
        end if;
        -- A superuser may do all of it anyway. A grant that is there already is not written again: other databases of the cluster
        -- may be migrated at the same time.
        for member in
            select r.rolname as name, r.rolname = me as is_owner from pg_catalog.pg_roles r
            where (r.rolname = host or r.rolname = me) and not r.rolsuper
              and not exists (select from pg_catalog.pg_auth_members m
                              where m.member = r.oid and m.roleid = 'supabase_storage_admin'::regrole
                                and coalesce((to_jsonb(m) ->> 'set_option')::boolean, true)
                                -- Postgres 15 has no inherit_option: there, whether a role inherits is the role's own.
                                and (r.rolname <> me or coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true)))
        loop
            begin
                execute format('grant supabase_storage_admin to %I%s', member.name,
                    case when not modern then ''
                         when member.is_owner then ' with inherit true, set true'
                         else ' with inherit false, set true' end);
            exception when unique_violation then
                null;
            end;
        end loop;
    exception when insufficient_privilege then
        raise exception 'the role supabase_storage_admin belongs to somebody else; as a superuser: grant supabase_storage_admin to % with admin option', me;
    end;
    grant usage, create on schema storage to supabase_storage_admin;
    for tab in
        select c.oid::regclass as name
        from pg_catalog.pg_class c join pg_catalog.pg_roles r on r.oid = c.relowner
        where c.relnamespace = 'storage'::regnamespace and c.relkind = 'r' and r.rolname <> 'supabase_storage_admin'
          and (c.relname in ('buckets', 'objects')
               -- Those of later migrations.
               or c.relname ~ '^behalf_')
    loop
        execute format('alter table %s owner to supabase_storage_admin', tab.name);
    end loop;
    for tab in
        select c.oid::regclass as name
        from pg_catalog.pg_class c
        where c.relnamespace = 'storage'::regnamespace and c.relkind = 'r' and c.relowner = 'supabase_storage_admin'::regrole
    loop
        -- By name as well, for a server where the owner of the database does not inherit. Only the tables' owner may grant.
        set local role supabase_storage_admin;
        execute format('grant all on %s to %I', tab.name, me);
        execute format('set local role %I', me);
    end loop;
    for owned in
        select p.oid::regprocedure as name, r.rolname as owner
        from pg_catalog.pg_proc p join pg_catalog.pg_roles r on r.oid = p.proowner
        where p.pronamespace = 'behalf'::regnamespace and p.proname = 'look_at_object'
    loop
        -- Only for these statements: the role needs nothing else in this schema.
        grant usage, create on schema behalf to supabase_storage_admin;
        if owned.owner <> 'supabase_storage_admin' then
            execute format('alter function %s owner to supabase_storage_admin', owned.name);
        end if;
        set local role supabase_storage_admin;
        execute format('grant execute on function %s to %I', owned.name, host);
        execute format('set local role %I', me);
        revoke usage, create on schema behalf from supabase_storage_admin;
    end loop;
end
$$;

select behalf.share_storage('behalf_host');

-- The list of all bytes -----------------------------------------------------------------------------------------------

-- As in 0023_storage.sql, and with the size that the row says. The host writes it there when it has counted the bytes.
create or replace function behalf.name_blob() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    if new.version ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
        update behalf.blobs b
        set object_id = new.id,
            size = case when new.metadata ->> 'size' ~ '^[0-9]{1,18}$' then (new.metadata ->> 'size')::bigint else b.size end
        where b.id = new.version::uuid and b.bucket_id = new.bucket_id and b.name = new.name and b.released_at is null
          -- The same object's, where rows are restored from a backup.
          and (b.object_id is null or b.object_id = new.id);
        if found then
            return null;
        end if;
    end if;
    raise insufficient_privilege using
        message = 'the column version names no bytes that were uploaded for this object',
        hint = 'Upload through /storage/v1, which sets the column. Other SQL has to leave it out.';
end
$$;
comment on column behalf.blobs.size is 'How many bytes, as the row said that names or named them; none where no row did.';
