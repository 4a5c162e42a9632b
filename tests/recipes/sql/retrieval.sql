-- The app's own table says whose a source is. The back end alone writes it.
create table public.documents (
    id uuid primary key default gen_random_uuid(),
    source_id uuid not null,
    owner_id uuid not null,
    title text
);
alter table public.documents enable row level security;
create policy own_documents on public.documents for select to authenticated using (owner_id = auth.uid());
grant select on public.documents to authenticated;
grant select, insert, update, delete on public.documents to service_role;

-- A user reads the sources that are theirs by this table, and the chunks of these sources.
drop policy if exists auth_read_sources on ai.sources;
create policy auth_read_own_sources on ai.sources for select to authenticated
    using (exists (select 1 from public.documents where source_id = ai.sources.id and owner_id = auth.uid()));

drop policy if exists auth_read_chunks on ai.chunks;
create policy auth_read_own_chunks on ai.chunks for select to authenticated
    using (exists (
        select 1 from ai.indexed_sources ix join public.documents d on d.source_id = ix.source_id
        where ix.id = ai.chunks.indexed_source_id and d.owner_id = auth.uid()));
