-- `score` of a chunk over /rest/v1: how well its text fits the words of the request's header `Behalf-Query`.
--
-- It is made of this chunk and the question alone. It uses no statistics of other rows, so it says nothing of them, and it stays the
-- same when somebody adds documents.

alter table ai.chunks add column language text not null default 'english';
comment on column ai.chunks.language is 'The language of text search that its words were made with: that of its base.';

-- A column of its own, because whoever sees a chunk need not see its base.
create function behalf.name_chunk_language() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    new.language := (select c.cfgname from pg_catalog.pg_ts_config c where c.oid = behalf.chunk_language(new.knowledge_base_id));
    return new;
end
$$;
comment on function behalf.name_chunk_language() is 'Writes the language of a chunk''s base beside its text.';
create trigger name_language before insert or update of text, knowledge_base_id on ai.chunks
    for each row execute function behalf.name_chunk_language();
update ai.chunks c set language = 'simple' where behalf.chunk_language(c.knowledge_base_id) = 'pg_catalog.simple'::regconfig;

-- A word that stands n times in the text counts n / (n + 1.2), so the second time adds less than the first. The sum is divided by the
-- number of words of the question.
create function ai.score(chunk ai.chunks) returns real
language plpgsql stable set search_path = ''
as $$
declare
    sent text := nullif(pg_catalog.current_setting('request.headers', true), '')::json ->> 'behalf-query';
    question text := sent;
    config regconfig;
begin
    if sent is null or chunk.text is null then
        return 0;
    end if;
    if pg_catalog.strpos(sent, '%') > 0 then
        begin
            select pg_catalog.convert_from(pg_catalog.decode(pg_catalog.string_agg(
                case when m.piece[1] ~ '^%..' then pg_catalog.substr(m.piece[1], 2)
                    else pg_catalog.encode(pg_catalog.convert_to(m.piece[1], 'UTF8'), 'hex') end, '' order by m.place), 'hex'), 'UTF8')
            into question
            from pg_catalog.regexp_matches(sent, '%[0-9a-fA-F]{2}|.', 'g') with ordinality as m(piece, place);
        exception when data_exception then
            -- It is not encoded, so it is taken as it stands.
            question := sent;
        end;
    end if;
    select c.oid into config from pg_catalog.pg_ts_config c
    where c.cfgname = chunk.language and c.cfgnamespace = 'pg_catalog'::pg_catalog.regnamespace;
    config := coalesce(config, 'pg_catalog.simple'::pg_catalog.regconfig);
    begin
        return (
            select coalesce(pg_catalog.sum(w.times / (w.times + 1.2)) / pg_catalog.count(*), 0)
            from pg_catalog.unnest(pg_catalog.to_tsvector(config, pg_catalog.left(question, 2000))) q
            left join (
                select u.lexeme, pg_catalog.cardinality(u.positions) as times
                from pg_catalog.unnest(pg_catalog.to_tsvector(config, chunk.text)) u
            ) w on w.lexeme = q.lexeme
        );
    exception when program_limit_exceeded then
        -- A text of more words than Postgres can take in.
        return 0;
    end;
end
$$;
comment on function ai.score(ai.chunks) is
    'How well a chunk fits the words of the header Behalf-Query, from 0 to 1; 0 where the request has no such header.';
revoke all on function ai.score(ai.chunks), behalf.name_chunk_language() from public;
grant execute on function ai.score(ai.chunks) to authenticated, service_role;
