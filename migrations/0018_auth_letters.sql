-- Letters that were sent for sign-in, so that all hosts share their limits, and tries of the codes in them.
--
-- GoTrue has no such table: it counts letters in the memory of each process, and tries of codes by address of the client only. A
-- row is written for each request that would send a letter, whether or not there is an account, so that nobody learns from the
-- limits who has one. Rows are deleted when no limit needs them, an hour later or when the code ends.
do $do$
begin
    if not exists (select from behalf.decisions d where d.name = 'auth_tables' and d.value = 'ours') then
        return;
    end if;
    create table auth.behalf_letters (
        letter_id bigint generated always as identity primary key,
        address_hash bytea not null,
        sent_at timestamptz not null default now(),
        counts boolean not null default true,
        pauses boolean not null default true,
        tries smallint not null default 0
    );
    comment on table auth.behalf_letters is
        'Letters of the last hour, without addresses: for the limit of letters, the pause between two of them, and tries of codes.';
    comment on column auth.behalf_letters.address_hash is 'SHA-256 of the address in lower case.';
    comment on column auth.behalf_letters.counts is 'Whether it counts for the project''s letters in an hour.';
    comment on column auth.behalf_letters.pauses is
        'Whether the next letter to the address has to wait. Not after somebody proved to read it.';
    comment on column auth.behalf_letters.tries is
        'Tries of a code since this letter. The code dies with the last that is allowed.';
    create index on auth.behalf_letters (address_hash, letter_id desc);
    create index on auth.behalf_letters (sent_at);
    alter table auth.behalf_letters owner to supabase_auth_admin;
end
$do$;
