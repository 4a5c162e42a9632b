-- The policies of the app whose files storage.mjs and storage.py keep: each user has a folder of their own in each bucket.

create policy "own folder" on storage.objects for all to authenticated
    using ((storage.foldername(name))[1] = (select auth.uid()::text))
    with check ((storage.foldername(name))[1] = (select auth.uid()::text));
