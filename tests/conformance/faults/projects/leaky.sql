-- Mistakes of a project: a view that runs as its owner, past row-level security, and a table without it.
create view public.everyones_notes as select id, title, body from public.notes;
grant select, update on public.everyones_notes to authenticated;

create table public.board (id bigint generated always as identity primary key, text text not null);
grant select, insert on public.board to authenticated;

-- A table that somebody forgot to protect, with texts inside of JSON.
create table public.places (
    id bigint generated always as identity primary key,
    owner_id uuid not null default auth.uid(),
    detail jsonb not null
);
grant select on public.places to authenticated;
insert into public.places (owner_id, detail) values
    ('a11ce000-0000-4000-8000-000000000001', '{"address": {"street": "33 Mill Road"}, "keys": [["gate", "5150-2209"]]}'),
    ('b0b00000-0000-4000-8000-000000000002', '{"address": {"street": "17 Harbour Lane"}, "keys": [["gate", "8841-7736"]]}');
