-- Buckets and objects: the tables of the schema `storage`. Names, columns, types, constraints, indexes and triggers are those of
-- Supabase Storage, as far as they serve buckets of files, so that an app's policies, triggers and SQL run unchanged.
--
-- They belong to a role of their own, `supabase_storage_admin`, which nobody can log in as. The host becomes that role for what
-- needs no caller, and inherits nothing from it. The owner of the database inherits from it: whoever writes the app's policies and
-- triggers needs the rights of the tables' owner. Callers reach the rows that the app's policies show them.
--
-- Bytes are never in the database. `behalf.blobs` lists all of them, and `storage.objects.version` names those of an object.
-- Triggers see to it that a row names only bytes that were uploaded for this very object, and that bytes which no row names any
-- more are deleted.
--
-- A database that has the schema `storage` already (a Supabase project) keeps its own, and nothing of it is changed. `/storage/v1`
-- is not served there by this host.

-- All bytes -----------------------------------------------------------------------------------------------------------

create table behalf.blobs (
    id uuid primary key,
    bucket_id text,
    name text,
    size bigint,
    created_at timestamptz not null default now(),
    touched_at timestamptz not null default now(),
    object_id uuid,
    released_at timestamptz
);
comment on table behalf.blobs is 'All bytes that were ever begun and are not deleted: a row is written before their first byte.';
comment on column behalf.blobs.bucket_id is 'The bucket of the object that they are for.';
comment on column behalf.blobs.name is 'The name of the object that they are for.';
comment on column behalf.blobs.touched_at is 'When their writer was last seen, or until when it may be silent.';
comment on column behalf.blobs.object_id is 'The object whose row names them.';
comment on column behalf.blobs.released_at is 'Since when nothing names them and nothing may: they are being deleted.';
create index blobs_released_idx on behalf.blobs (released_at) where released_at is not null;
create index blobs_abandoned_idx on behalf.blobs (touched_at) where object_id is null and released_at is null;

grant select, insert, update, delete on behalf.blobs to behalf_host;

-- These run with the rights of the owner of the database: whoever writes the row needs none on the list, and gets none.
create function behalf.name_blob() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    if new.version ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
        update behalf.blobs b set object_id = new.id
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
comment on function behalf.name_blob() is 'Lets an object name bytes that were uploaded for it, and no others.';

create function behalf.release_blob() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    if old.version ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
        update behalf.blobs b set released_at = now()
        where b.id = old.version::uuid and b.object_id = old.id and b.released_at is null;
    end if;
    return null;
end
$$;
comment on function behalf.release_blob() is 'Lets bytes be deleted that an object named.';

create function behalf.follow_object() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    if new.version ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
        update behalf.blobs b set object_id = new.id where b.id = new.version::uuid and b.object_id = old.id;
    end if;
    return null;
end
$$;
comment on function behalf.follow_object() is 'Keeps bytes with an object whose id was changed.';

create function behalf.release_all_blobs() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    update behalf.blobs b set released_at = now()
    where b.object_id is not null and b.released_at is null and b.bucket_id not in ('', 'sources');
    return null;
end
$$;
comment on function behalf.release_all_blobs() is 'Lets all bytes of objects be deleted.';

revoke all on function behalf.name_blob(), behalf.release_blob(), behalf.follow_object(), behalf.release_all_blobs() from public;

-- The role, and who may become it -------------------------------------------------------------------------------------

-- Roles belong to the cluster, and a backup that was restored elsewhere comes without them. Therefore `behalf migrate` calls
-- this each time, with the host's login.
create function behalf.share_storage(host text) returns void
language plpgsql
as $$
declare
    me text := current_user;
    modern boolean := current_setting('server_version_num')::integer >= 160000;
    tab record;
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
end
$$;
comment on function behalf.share_storage(text) is
    'Gives the tables of objects to their role, lets the host become it, and lets the owner of the database act as it.';
revoke all on function behalf.share_storage(text) from public;

-- The tables ----------------------------------------------------------------------------------------------------------

do $do$
begin
    -- A role of another service, such as a Supabase project's in this cluster, may do more than the host's login may get.
    if to_regnamespace('storage') is not null
        or exists (select from pg_catalog.pg_roles r where r.rolname = 'supabase_storage_admin'
                   and (r.rolcanlogin or r.rolcreaterole or r.rolsuper or r.rolbypassrls)) then
        insert into behalf.decisions (name, value) values ('storage_tables', 'theirs');
        return;
    end if;
    insert into behalf.decisions (name, value) values ('storage_tables', 'ours');

    create schema storage;
    grant usage on schema storage to anon, authenticated, service_role;

    create type storage.buckettype as enum ('STANDARD', 'ANALYTICS', 'VECTOR');

    create table storage.buckets (
        id text not null,
        name text not null,
        owner uuid,
        created_at timestamptz default now(),
        updated_at timestamptz default now(),
        public boolean default false,
        avif_autodetection boolean default false,
        file_size_limit bigint,
        allowed_mime_types text[],
        owner_id text,
        type storage.buckettype not null default 'STANDARD',
        versioning_status text not null default 'DISABLED',
        constraint buckets_pkey primary key (id),
        constraint buckets_versioning_status_check check (versioning_status in ('DISABLED', 'ENABLED', 'SUSPENDED')),
        constraint buckets_versioning_standard_only_check check (type = 'STANDARD' or versioning_status = 'DISABLED'),
        constraint buckets_versioning_dark_check check (versioning_status = 'DISABLED'),
        -- The platform's own files have no rows here, and nobody makes a bucket that could be taken for theirs.
        constraint behalf_platform_bucket_check check (id <> 'sources' and name <> 'sources')
    );
    comment on column storage.buckets.owner is 'Field is deprecated, use owner_id instead';
    create unique index bname on storage.buckets (name);

    create table storage.objects (
        id uuid not null default gen_random_uuid(),
        bucket_id text,
        name text,
        owner uuid,
        created_at timestamptz default now(),
        updated_at timestamptz default now(),
        last_accessed_at timestamptz default now(),
        metadata jsonb,
        path_tokens text[] generated always as (string_to_array(name, '/')) stored,
        version text,
        owner_id text,
        user_metadata jsonb,
        archived_at timestamptz,
        is_delete_marker boolean not null default false,
        is_versioned boolean not null default false,
        constraint objects_pkey primary key (id),
        constraint "objects_bucketId_fkey" foreign key (bucket_id) references storage.buckets (id)
    );
    comment on column storage.objects.owner is 'Field is deprecated, use owner_id instead';
    comment on column storage.objects.version is 'The bytes of the object, by their id. Only /storage/v1 sets it.';
    create unique index bucketid_objname on storage.objects (bucket_id, name);
    create index name_prefix_search on storage.objects (name text_pattern_ops);
    create index idx_objects_bucket_id_name on storage.objects (bucket_id, name collate "C");
    create index idx_objects_bucket_id_name_lower on storage.objects (bucket_id, lower(name) collate "C");

    create table storage.behalf_uploads (
        id uuid primary key,
        bucket_id text not null references storage.buckets (id) on delete cascade,
        name text not null,
        actor text not null,
        size bigint,
        received bigint not null default 0,
        metadata jsonb not null,
        parts jsonb not null,
        created_at timestamptz not null default now(),
        expires_at timestamptz not null,
        locked_by uuid,
        locked_until timestamptz,
        wanted_at timestamptz,
        etag text,
        stored_at timestamptz,
        completed_at timestamptz
    );
    comment on table storage.behalf_uploads is 'Uploads that come in parts, so that any host goes on with one.';
    comment on column storage.behalf_uploads.actor is 'Who began it, and alone goes on with it.';
    comment on column storage.behalf_uploads.parts is 'What the store of bytes needs to go on.';
    create index behalf_uploads_expires_at_idx on storage.behalf_uploads (expires_at);
    create index behalf_uploads_bucket_id_idx on storage.behalf_uploads (bucket_id);

    alter table storage.buckets enable row level security;
    alter table storage.objects enable row level security;
    alter table storage.behalf_uploads enable row level security;
    create policy behalf_nobody on storage.behalf_uploads as restrictive for all to public using (false) with check (false);
    comment on policy behalf_nobody on storage.behalf_uploads is 'Uploads that come in parts are read and written by the host alone.';
    -- Not TRUNCATE, which no policy holds back, nor REFERENCES and TRIGGER.
    grant select, insert, update, delete on storage.buckets, storage.objects to anon, authenticated, service_role;

    create policy behalf_platform_bucket on storage.buckets as restrictive for all to public
        using (id is distinct from 'sources') with check (id is distinct from 'sources');
    comment on policy behalf_platform_bucket on storage.buckets is 'The bucket of the platform''s own files is nobody''s.';
    create policy behalf_platform_objects on storage.objects as restrictive for all to public
        using (bucket_id is distinct from 'sources') with check (bucket_id is distinct from 'sources');
    comment on policy behalf_platform_objects on storage.objects is 'The platform''s own files are nobody''s.';

    -- What an object's path says --------------------------------------------------------------------------------------

    create function storage.foldername(name text) returns text[]
    language sql immutable parallel safe
    as $$ select (string_to_array($1, '/'))[1:array_length(string_to_array($1, '/'), 1) - 1] $$;

    create function storage.filename(name text) returns text
    language sql immutable parallel safe
    as $$ select (string_to_array($1, '/'))[array_length(string_to_array($1, '/'), 1)] $$;

    create function storage.extension(name text) returns text
    language sql immutable parallel safe
    as $$ select reverse(split_part(reverse((string_to_array($1, '/'))[array_length(string_to_array($1, '/'), 1)]), '.', 1)) $$;

    -- What a request does, for policies that tell requests apart ------------------------------------------------------

    create function storage.operation() returns text
    language sql stable parallel safe
    as $$ select current_setting('storage.operation', true) $$;

    create function storage.allow_only_operation(expected_operation text) returns boolean
    language sql stable parallel safe
    as $$
        select coalesce($1 <> '' and regexp_replace(storage.operation(), '^storage\.', '') = regexp_replace($1, '^storage\.', ''), false)
    $$;

    create function storage.allow_any_operation(expected_operations text[]) returns boolean
    language sql stable parallel safe
    as $$ select coalesce((select bool_or(storage.allow_only_operation(one.name)) from unnest($1) one (name)), false) $$;

    -- What upstream's SQL may ask -------------------------------------------------------------------------------------

    create function storage.can_insert_object(bucketid text, name text, owner uuid, metadata jsonb) returns void
    language plpgsql
    as $$
    begin
        insert into storage.objects (bucket_id, name, owner, metadata) values ($1, $2, $3, $4);
        -- Whoever asks must not have written.
        raise sqlstate 'PT200' using message = 'ROLLBACK', detail = 'rollback successful insert';
    end
    $$;
    comment on function storage.can_insert_object(text, text, uuid, jsonb) is
        'Tries to insert a row, and always fails; behalf: reviewed';

    create function storage.get_size_by_bucket() returns table (size bigint, bucket_id text)
    language sql stable
    as $$ select sum((o.metadata ->> 'size')::bigint)::bigint, o.bucket_id from storage.objects o group by o.bucket_id $$;

    -- Lists -----------------------------------------------------------------------------------------------------------

    -- The folder that holds a name below a prefix; null for a name that is directly there.
    create function storage.get_common_prefix(p_key text, p_prefix text, p_delimiter text) returns text
    language sql immutable parallel safe
    as $$
        select case when position($3 in substring($1 from length($2) + 1)) > 0
            then left($1, length($2) + position($3 in substring($1 from length($2) + 1)) + length($3) - 1) end
    $$;

    -- The first text, by its bytes, behind all that begin so. Behind everything there is no text, but no name begins with that one.
    create function storage.behalf_behind(prefix text) returns text
    language sql immutable parallel safe
    as $$
        select case
            when $1 = '' then
                case when getdatabaseencoding() = 'UTF8' then chr(1114111) || chr(1114111) else chr(255) || chr(255) end
            when ascii(right($1, 1)) = 1114111 then
                -- No character is behind the last one. So it is the character before those that counts.
                case when rtrim($1, right($1, 1)) = '' then right($1, 1) || right($1, 1)
                     when ascii(right(rtrim($1, right($1, 1)), 1)) = 55295 then left(rtrim($1, right($1, 1)), -1) || chr(57344)
                     else left(rtrim($1, right($1, 1)), -1) || chr(ascii(right(rtrim($1, right($1, 1)), 1)) + 1) end
            -- Between these two, Unicode has no characters.
            when ascii(right($1, 1)) = 55295 then left($1, -1) || chr(57344)
            else left($1, -1) || chr(ascii(right($1, 1)) + 1) end
    $$;

    -- It reads names in the order of the index, as long as folders are small. Over a folder that turns out to hold more than a few
    -- it steps at once, and over as many of the next ones without a look: neither many small folders nor large ones take long. A
    -- cursor reads no further than asked: behind the last name that is wanted there may be any number that a policy hides. Names are
    -- compared by their bytes, with operators that are known to leak nothing: others would be asked only after the policies, for
    -- every row.
    create function storage.list_objects_with_delimiter(
        _bucket_id text,
        prefix_param text,
        delimiter_param text,
        max_keys integer default 100,
        start_after text default '',
        next_token text default '',
        sort_order text default 'asc'
    ) returns table (
        name text, id uuid, metadata jsonb, updated_at timestamptz, created_at timestamptz, last_accessed_at timestamptz
    )
    language plpgsql stable
    set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set plan_cache_mode = force_generic_plan
    as $$
    declare
        prefix constant text := coalesce(prefix_param, '');
        after constant text := coalesce(nullif(next_token, ''), start_after, '');
        ascending constant boolean := lower(coalesce(sort_order, 'asc')) <> 'desc';
        low text := prefix;
        high text := storage.behalf_behind(prefix);
        folder text;
        last_folder text;
        listed integer := 0;
        passed integer;
        large integer := 0;
        peeked text;
        below refcursor;
        found_row record;
    begin
        if after <> '' then
            folder := storage.get_common_prefix(after, prefix, delimiter_param);
            if ascending then
                low := greatest(low collate "C", coalesce(storage.behalf_behind(folder), after || chr(1)) collate "C");
            else
                high := least(high collate "C", coalesce(folder, after) collate "C");
            end if;
        end if;
        while listed < max_keys loop
            -- What a policy hides is passed over in the index alone, where the policy asks for names only.
            if ascending then
                select o.name into peeked from storage.objects o
                where o.bucket_id = _bucket_id and o.name collate "C" >= low and o.name collate "C" < high
                order by o.name collate "C" limit 1;
                low := peeked;
            else
                select o.name into peeked from storage.objects o
                where o.bucket_id = _bucket_id and o.name collate "C" >= low and o.name collate "C" < high
                order by o.name collate "C" desc limit 1;
                high := peeked || chr(1);
            end if;
            exit when peeked is null;
            folder := storage.get_common_prefix(peeked, prefix, delimiter_param);
            if large > 0 and folder is not null then
                name := folder;
                id := null; metadata := null; updated_at := null; created_at := null; last_accessed_at := null;
                return next;
                listed := listed + 1;
                large := large - 1;
                if ascending then
                    low := storage.behalf_behind(folder);
                else
                    high := folder;
                end if;
                continue;
            end if;
            if ascending then
                open below for
                    select o.name, o.id, o.metadata, o.updated_at, o.created_at, o.last_accessed_at from storage.objects o
                    where o.bucket_id = _bucket_id and o.name collate "C" >= low and o.name collate "C" < high
                    order by o.name collate "C";
            else
                open below for
                    select o.name, o.id, o.metadata, o.updated_at, o.created_at, o.last_accessed_at from storage.objects o
                    where o.bucket_id = _bucket_id and o.name collate "C" >= low and o.name collate "C" < high
                    order by o.name collate "C" desc;
            end if;
            passed := 0;
            while listed < max_keys and passed < 3 loop
                fetch below into found_row;
                exit when not found;
                folder := storage.get_common_prefix(found_row.name, prefix, delimiter_param);
                if folder = last_folder then
                    passed := passed + 1;
                    continue;
                end if;
                passed := 0;
                last_folder := folder;
                if folder is null then
                    name := found_row.name; id := found_row.id; metadata := found_row.metadata;
                    updated_at := found_row.updated_at; created_at := found_row.created_at;
                    last_accessed_at := found_row.last_accessed_at;
                else
                    name := folder;
                    id := null; metadata := null; updated_at := null; created_at := null; last_accessed_at := null;
                end if;
                return next;
                listed := listed + 1;
            end loop;
            close below;
            exit when passed < 3;
            large := 16;
            if ascending then
                low := storage.behalf_behind(last_folder);
            else
                high := last_folder;
            end if;
        end loop;
    end
    $$;
    comment on function storage.list_objects_with_delimiter(text, text, text, integer, text, text, text) is
        'The names directly below a prefix; a folder once, with the delimiter at its end. The names that the caller may see.';

    -- The beginnings that names below a prefix have where a search for one is written in other letters, in order. The index is asked
    -- for the next name behind the last one, and from there on for the next spelling that can follow: it is asked once for each
    -- spelling and each gap between two of them where there are names, and never reads the same part twice. The index on lower(name)
    -- would not do: lower() is not known to leak nothing, and so is asked only after the policies, for every row of the bucket.
    create function storage.behalf_spellings(_bucket_id text, prefix text, search text) returns text[]
    language plpgsql stable
    set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set plan_cache_mode = force_generic_plan
    as $$
    declare
        letters constant text[] := string_to_array(search, null);
        firsts constant text[] := array(
            select case when lower(l.letter) = upper(l.letter) then l.letter
                        else least(lower(l.letter) collate "C", upper(l.letter) collate "C") end
            from unnest(letters) with ordinality l (letter, at) order by l.at);
        lasts constant text[] := array(
            select case when lower(l.letter) = upper(l.letter) then l.letter
                        else greatest(lower(l.letter) collate "C", upper(l.letter) collate "C") end
            from unnest(letters) with ordinality l (letter, at) order by l.at);
        low text := prefix || array_to_string(firsts, '');
        high constant text := storage.behalf_behind(prefix || array_to_string(lasts, ''));
        spellings text[] := '{}';
        spelled text;
        following text;
        peeked text;
    begin
        if firsts = lasts then
            return array[low];
        end if;
        loop
            select o.name into peeked from storage.objects o
            where o.bucket_id = _bucket_id and o.name collate "C" >= low and o.name collate "C" < high
            order by o.name collate "C" limit 1;
            exit when peeked is null;
            spelled := prefix;
            following := null;
            for at in 1 .. cardinality(letters) loop
                if starts_with(peeked, spelled || firsts[at]) then
                    if firsts[at] <> lasts[at] then
                        following := spelled || lasts[at] || array_to_string(firsts[at + 1:], '');
                    end if;
                    spelled := spelled || firsts[at];
                elsif starts_with(peeked, spelled || lasts[at]) then
                    spelled := spelled || lasts[at];
                else
                    if (spelled || firsts[at]) collate "C" > peeked then
                        following := spelled || array_to_string(firsts[at:], '');
                    elsif (spelled || lasts[at]) collate "C" > peeked then
                        following := spelled || lasts[at] || array_to_string(firsts[at + 1:], '');
                    end if;
                    spelled := null;
                    exit;
                end if;
            end loop;
            if spelled is not null then
                spellings := spellings || spelled;
            end if;
            exit when following is null or following collate "C" <= low;
            low := following;
        end loop;
        return spellings;
    end
    $$;

    -- Folders have no times. So sorting by one steps over folders as well, and reads of them only what is directly there.
    create function storage.search(
        prefix text,
        bucketname text,
        limits integer default 100,
        levels integer default 1,
        offsets integer default 0,
        search text default '',
        sortcolumn text default 'name',
        sortorder text default 'asc'
    ) returns table (
        name text, id uuid, updated_at timestamptz, created_at timestamptz, last_accessed_at timestamptz, metadata jsonb
    )
    language plpgsql stable
    as $$
    declare
        ahead constant text := coalesce(prefix, '');
        wanted constant integer := least(coalesce(limits, 100), 1500);
        skipped constant integer := greatest(coalesce(offsets, 0), 0);
        descending constant boolean := lower(coalesce(sortorder, 'asc')) = 'desc';
        column_name constant text := lower(coalesce(sortcolumn, 'name'));
        spellings text[] := storage.behalf_spellings(bucketname, ahead, coalesce(search, ''));
        spelling text;
        passed integer := 0;
        listed record;
    begin
        if column_name not in ('updated_at', 'created_at', 'last_accessed_at') then
            if descending then
                spellings := array(select s.text from unnest(spellings) with ordinality s (text, at) order by s.at desc);
            end if;
            foreach spelling in array spellings loop
                for listed in
                    select l.* from storage.list_objects_with_delimiter(
                        bucketname, spelling, '/', wanted + skipped - passed, '', '', case when descending then 'desc' else 'asc' end) l
                loop
                    passed := passed + 1;
                    continue when passed <= skipped;
                    name := substring(rtrim(listed.name, '/') from length(ahead) + 1);
                    id := listed.id; updated_at := listed.updated_at; created_at := listed.created_at;
                    last_accessed_at := listed.last_accessed_at; metadata := listed.metadata;
                    return next;
                end loop;
                exit when passed >= wanted + skipped;
            end loop;
            return;
        end if;
        return query
            with listed as (
                select substring(rtrim(l.name, '/') from length(ahead) + 1) as shown, l.id is null as is_folder,
                    l.id, l.updated_at, l.created_at, l.last_accessed_at, l.metadata,
                    case column_name when 'updated_at' then l.updated_at when 'created_at' then l.created_at
                                     else l.last_accessed_at end as sorted_by
                from unnest(spellings) s (text)
                  cross join lateral storage.list_objects_with_delimiter(bucketname, s.text, '/', 2147483647) l)
            select l.shown, l.id, l.updated_at, l.created_at, l.last_accessed_at, l.metadata
            from listed l
            order by l.is_folder desc,
                case when not descending then l.sorted_by end, case when descending then l.sorted_by end desc,
                case when not descending then l.shown collate "C" end, case when descending then l.shown collate "C" end desc
            limit wanted offset skipped;
    end
    $$;
    comment on function storage.search(text, text, integer, integer, integer, text, text, text) is
        'The names directly below a folder, relative to it; folders have no id. Letters of the search match both cases.';

    -- Triggers --------------------------------------------------------------------------------------------------------

    create function storage.update_updated_at_column() returns trigger
    language plpgsql
    as $$
    begin
        new.updated_at = now();
        return new;
    end
    $$;
    create trigger update_objects_updated_at before update on storage.objects
        for each row execute function storage.update_updated_at_column();

    create function storage.enforce_bucket_name_length() returns trigger
    language plpgsql
    as $$
    begin
        if length(new.name) > 100 then
            raise exception 'bucket name "%" is too long (% characters). Max is 100.', new.name, length(new.name);
        end if;
        return new;
    end
    $$;
    create trigger enforce_bucket_name_length_trigger before insert or update of name on storage.buckets
        for each row execute function storage.enforce_bucket_name_length();

    create function storage.protect_delete() returns trigger
    language plpgsql
    as $$
    begin
        if coalesce(current_setting('storage.allow_delete_query', true), 'false') <> 'true' then
            raise insufficient_privilege using
                message = 'Direct deletion from storage tables is not allowed. Use the Storage API instead.',
                hint = 'This prevents accidental data loss from orphaned objects.';
        end if;
        return null;
    end
    $$;
    create trigger protect_buckets_delete before delete on storage.buckets
        for each statement execute function storage.protect_delete();
    create trigger protect_objects_delete before delete on storage.objects
        for each statement execute function storage.protect_delete();

    -- Conditions instead of lists of columns: a trigger of the app may change a column that the statement does not name.
    create trigger behalf_names_new_blob after insert on storage.objects
        for each row when (new.version is not null) execute function behalf.name_blob();
    create trigger behalf_names_other_blob after update on storage.objects
        for each row when (new.version is not null and new.version is distinct from old.version) execute function behalf.name_blob();
    create trigger behalf_releases_blob_on_update after update on storage.objects
        for each row when (old.version is not null and new.version is distinct from old.version) execute function behalf.release_blob();
    create trigger behalf_releases_blob_on_delete after delete on storage.objects
        for each row when (old.version is not null) execute function behalf.release_blob();
    create trigger behalf_keeps_blob after update on storage.objects
        for each row when (new.id <> old.id and new.version is not distinct from old.version) execute function behalf.follow_object();
    create trigger behalf_releases_all_blobs after truncate on storage.objects
        for each statement execute function behalf.release_all_blobs();

    perform behalf.share_storage('behalf_host');
end
$do$;

-- What other migrations know of the role ------------------------------------------------------------------------------

-- The host is a member of the roles that own the tables of users and of objects, and callers are not. So these roles keep by name
-- what PUBLIC had, as every other role beside the callers: the app's triggers on these tables run as them.
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
                        and not (r.rolname in ('supabase_auth_admin', 'supabase_storage_admin') and c.name ~ '_host$'))
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
    if not exists (select from behalf.decisions d where d.name = 'storage_tables' and d.value = 'ours') then
        return;
    end if;
    for item in select t.object from behalf.taken_from_public t where t.object like 'function %' loop
        begin
            execute format('grant execute on %s to supabase_storage_admin', item.object);
        exception when insufficient_privilege or undefined_function then
            null;
        end;
    end loop;
end
$do$;
