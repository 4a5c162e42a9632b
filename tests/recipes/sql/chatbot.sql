-- What users keep, each for themselves.
create table public.articles (
    id bigint generated always as identity primary key,
    owner_id uuid not null default auth.uid(),
    title text not null,
    body text not null
);
alter table public.articles enable row level security;
create policy own_articles on public.articles to authenticated
    using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));
grant select, insert, update, delete on public.articles to authenticated, service_role;

-- Articles with at least one of the words, as far as the caller may read them.
create function public.search_articles(words text) returns setof public.articles language sql stable as $$
    select a.* from public.articles a
    where to_tsvector('english', a.title || ' ' || a.body) @@ replace(plainto_tsquery('english', words)::text, '&', '|')::tsquery
$$;

-- What was said, for each user.
create table public.chat_messages (
    id bigint generated always as identity primary key,
    owner_id uuid not null,
    role text not null,
    content text not null
);
alter table public.chat_messages enable row level security;
create policy own_messages on public.chat_messages for select to authenticated using (owner_id = auth.uid());
grant select on public.chat_messages to authenticated;
grant select, insert on public.chat_messages to service_role;
