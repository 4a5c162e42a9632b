-- Sources that are uploaded and read by the host: the file of a source, the pages that were read out of it, and the host's rights.
--
-- The bytes are in the store of files, in the bucket `sources`, which is out of every caller's reach (0023_storage.sql). The text is in
-- `ai.source_pages`, under the policy of its source: whoever sees a source sees its pages.

alter table ai.sources
    add column blob_id uuid,
    add column size bigint,
    add column content_type text,
    add column job_id uuid,
    add column pages integer,
    add column pages_done integer,
    add column extracted_at timestamptz;
comment on column ai.sources.blob_id is 'The bytes of the file, by their id. Only the host sets it.';
comment on column ai.sources.size is 'The bytes of the file.';
comment on column ai.sources.job_id is 'The job that reads the file.';
comment on column ai.sources.pages is 'How many pages the document has, as far as that is known.';
comment on column ai.sources.pages_done is 'How many pages were read.';
create index sources_newest_idx on ai.sources (created_at desc, id);
create index sources_waiting_idx on ai.sources (owner_id) where extraction_status in ('pending', 'extracting');

-- A file whose text could not be read, or that was cancelled, may be added again.
drop index ai.sources_once_per_owner;
create unique index sources_once_per_owner on ai.sources (owner_id, content_hash) nulls not distinct
    where content_hash is not null and extraction_status not in ('failed', 'cancelled');

create table ai.source_pages (
    source_id uuid not null references ai.sources (id) on delete cascade,
    page integer not null check (page > 0),
    name text,
    text text not null,
    primary key (source_id, page)
);
comment on table ai.source_pages is 'What was read out of a source, page by page, as Markdown.';
comment on column ai.source_pages.page is 'Its number, from 1 on.';
comment on column ai.source_pages.name is 'The name that the document gives it: a sheet''s, a slide''s or a chapter''s.';

alter table ai.source_pages enable row level security;
create policy auth_read_source_pages on ai.source_pages for select to authenticated
    using (exists (select from ai.sources s where s.id = source_id));
grant select on ai.source_pages to authenticated;
grant select, insert, update, delete on ai.source_pages to service_role, behalf_host;

-- The host writes a user's rows in that user's name. It reads them for others as those others, on the login of their role.
create policy host_acts_for_owner on ai.sources to behalf_host
    using ((select auth.role()) = 'service_role' or owner_id = (select auth.uid()))
    with check ((select auth.role()) = 'service_role' or owner_id = (select auth.uid()));
create policy host_acts_for_owner on ai.source_pages to behalf_host
    using (exists (select from ai.sources s where s.id = source_id))
    with check (exists (select from ai.sources s where s.id = source_id));
grant select, insert, update, delete on ai.sources to behalf_host;

-- Bytes of a source -----------------------------------------------------------------------------------------------------

-- These run with the rights of the owner of the database: whoever writes the row needs none on the list of bytes, and gets none.
create function behalf.name_source_blob() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    update behalf.blobs b set object_id = new.id
    where b.id = new.blob_id and b.bucket_id = 'sources' and b.released_at is null
      and (b.object_id is null or b.object_id = new.id);
    if not found then
        raise insufficient_privilege using
            message = 'the column blob_id names no bytes that were uploaded for this source',
            hint = 'Upload through /api/sources, which sets the column. Other SQL has to leave it out.';
    end if;
    return null;
end
$$;
comment on function behalf.name_source_blob() is 'Lets a source name bytes that were uploaded for it, and no others.';

create function behalf.release_source_blob() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    update behalf.blobs b set released_at = now()
    where b.id = old.blob_id and b.object_id = old.id and b.released_at is null;
    return null;
end
$$;
comment on function behalf.release_source_blob() is 'Lets the bytes of a source be deleted that is gone.';

create function behalf.tell_source() returns trigger
language plpgsql set search_path = ''
as $$
begin
    perform pg_catalog.pg_notify('behalf_sources', (case when tg_op = 'DELETE' then old.id else new.id end)::text);
    return null;
end
$$;
comment on function behalf.tell_source() is 'Tells hosts whose clients wait for a source that it changed.';
revoke all on function behalf.name_source_blob(), behalf.release_source_blob(), behalf.tell_source() from public;
grant execute on function behalf.tell_source() to behalf_host, service_role;

create trigger name_blob_of_new after insert on ai.sources for each row when (new.blob_id is not null)
    execute function behalf.name_source_blob();
create trigger name_blob after update of blob_id on ai.sources for each row
    when (new.blob_id is not null and new.blob_id is distinct from old.blob_id)
    execute function behalf.name_source_blob();
create trigger release_blob after delete on ai.sources for each row when (old.blob_id is not null)
    execute function behalf.release_source_blob();
create trigger release_replaced_blob after update of blob_id on ai.sources for each row
    when (old.blob_id is not null and new.blob_id is distinct from old.blob_id)
    execute function behalf.release_source_blob();
create trigger tell_changed after update of extraction_status, pages, pages_done on ai.sources for each row
    when (old.extraction_status is distinct from new.extraction_status or old.pages is distinct from new.pages
        or old.pages_done is distinct from new.pages_done)
    execute function behalf.tell_source();
create trigger tell_deleted after delete on ai.sources for each row execute function behalf.tell_source();
