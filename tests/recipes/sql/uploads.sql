-- The app's own bucket, in which each user has a folder.
insert into storage.buckets (id, name, public) values ('attachments', 'attachments', false);
create policy own_folder on storage.objects for all to authenticated
    using (bucket_id = 'attachments' and (storage.foldername(name))[1] = (select auth.uid()::text))
    with check (bucket_id = 'attachments' and (storage.foldername(name))[1] = (select auth.uid()::text));
