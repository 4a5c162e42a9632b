-- What the recipe's app has: a table of documents, and a bucket in which each user has a folder.
create table public.documents (
    source_id uuid primary key,
    owner_id uuid not null default auth.uid(),
    title text
);
alter table public.documents enable row level security;
create policy own on public.documents for all to authenticated
    using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));
grant select, insert, update, delete on public.documents to authenticated;

insert into storage.buckets (id, name, public) values ('attachments', 'attachments', false);
create policy own_folder on storage.objects for all to authenticated
    using (bucket_id = 'attachments' and (storage.foldername(name))[1] = (select auth.uid()::text))
    with check (bucket_id = 'attachments' and (storage.foldername(name))[1] = (select auth.uid()::text));
