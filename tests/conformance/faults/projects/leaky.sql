-- Mistakes of a project: a view that runs as its owner, past row-level security, and a table without it.
create view public.everyones_notes as select id, title, body from public.notes;
grant select, update on public.everyones_notes to authenticated;

create table public.board (id bigint generated always as identity primary key, text text not null);
grant select, insert on public.board to authenticated;
