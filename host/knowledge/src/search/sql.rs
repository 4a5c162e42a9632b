//! The parts of the statements. A name that begins with a colon is a parameter, except in `::`, which is a cast.

/// What every chunk must fit, as `c`.
pub(super) const CHUNK: &str = "c.knowledge_base_id = any (:bases)";
pub(super) const CHUNK_SOURCES: &str = " and c.source_id = any (:sources)";
pub(super) const CHUNK_OWN: &str =
    " and c.source_id in (select o.id from ai.sources o where o.owner_id = (select auth.uid()))";
pub(super) const CHUNK_META: &str = " and c.meta @> :meta";
/// Candidates by the words of their `meta`. The setting `behalf.text_query` names the same words.
pub(super) const CHUNK_CANDIDATES: &str = " and c.id = any (array(select m.chunk_id from ai.chunk_words m
    where m.words @@ :words and m.knowledge_base_id = any (:bases)))";

/// The same of the words of a chunk, as `w`.
pub(super) const WORDS: &str = "w.words @@ :any and w.knowledge_base_id = any (:bases)";
pub(super) const WORDS_SOURCES: &str = " and w.source_id = any (:sources)";
pub(super) const WORDS_OWN: &str =
    " and w.source_id in (select o.id from ai.sources o where o.owner_id = (select auth.uid()))";
pub(super) const WORDS_META: &str = " and (select c.meta @> :meta from ai.chunks c where c.id = w.chunk_id)";

/// Vectors one by one. The sum keeps Postgres from the index, which would stop too early.
pub(super) const EXACT: &str = "v as materialized (select e.id, e.distance from (
        select c.id, (c.embedding <=> :vector) + 0 as distance from ai.chunks c
        where c.embedding_model = {model} and {chunk}) e
    order by e.distance, e.id limit :pool)";

/// Vectors by the index, which knows them at half precision; then by their own distance.
pub(super) const GRAPH: &str = "v as materialized (select g.id, g.distance from (
        select c.id, c.embedding <=> :vector as distance from ai.chunks c
        where c.embedding_model = {model} and {chunk}
        order by c.embedding::halfvec({dims}) <=> :vector::halfvec({dims}) limit :over) g
    order by g.distance, g.id limit :pool)";

/// The words of all chunks that match: how often each term occurs.
///
/// `ts_rank` of one term with equal weights is the sum of 1/j² for its first n places, divided by π²/6; so n follows from it. What is no
/// single word counts once. A rank of 0 is a term that is not there, which is NULL.
pub(super) const MATCHES: &str =
    "m as materialized (select w.chunk_id, w.length{frequencies} from ai.chunk_words w where {words})";
pub(super) const FREQUENCY: &str = ", case when numnode(:term) = 1 then
        round(0.60793 / nullif(1 - least(ts_rank('{1,1,1,1}', w.words, :term), 0.999), 1) - 0.5)
    when w.words @@ :term then 1 end::float8 as f{n}";

/// What is counted over them. Nothing that the caller cannot see is in it.
pub(super) const STATISTICS: &str =
    "s as materialized (select greatest(avg(m.length), 1)::float8 as mean{weights} from m)";
pub(super) const WEIGHT: &str = ", ln(1 + (greatest(coalesce(:visible, 2 * count(*)), count(*)) - count(m.f{n}) + 0.5)
    / (count(m.f{n}) + 0.5))::float8 as w{n}";

/// BM25 with k1 = 1.2 and b = 0.75, of these matching chunks.
pub(super) const SCORES: &str = "select m.chunk_id as id, {sum} as score from {chunks} cross join s
    cross join lateral (select 1.2 * (0.25 + 0.75 * m.length / s.mean) as k) k";
/// The best of all.
pub(super) const RANKED: &str = "t as materialized ({scores} order by score desc, m.chunk_id limit :pool)";
/// Those that are near.
pub(super) const OF_NEAR: &str = "n as materialized ({scores})";
pub(super) const ALL_MATCHES: &str = "m";
pub(super) const NEAR_MATCHES: &str = "(select m.* from m where m.chunk_id in (select v.id from v)) m";
pub(super) const TERM: &str = "coalesce(s.w{n} * 2.2 * m.f{n} / (m.f{n} + k.k), 0)";

/// Scores between 0 and 1.
pub(super) const BY_VECTOR: &str =
    "h as materialized (select v.id, greatest(0, 1 - nullif(v.distance, 'NaN')) as score from v)";
pub(super) const BY_WORDS: &str = "h as materialized (select t.id, t.score / (1 + t.score) as score from t)";
/// What either way finds has both its scores: the likeness of what words found is computed, and what is near is scored by its words.
/// Each counts from 0 to 1 among these chunks: likeness from the farthest to the nearest, since models differ in how far apart
/// they keep texts, and words from none to the most. A chunk with the vector of another model, or none, counts as the farthest.
pub(super) const BY_BOTH: &str = "u as materialized (select v.id, nullif(v.distance, 'NaN') as distance, coalesce(n.score, 0) as score
    from v left join n on n.id = v.id
    union all
    select t.id, (select nullif(c.embedding <=> :vector, 'NaN') from ai.chunks c where c.id = t.id and c.embedding_model = {model}), t.score
    from t where t.id not in (select v.id from v)),
h as materialized (select u.id, :weight * case when u.distance is null then 0 when e.near = e.far then 1
            else (e.far - u.distance) / (e.far - e.near) end
        + (1 - :weight) * coalesce(u.score / e.most, 0) as score
    from u cross join (select min(u.distance) as near, max(u.distance) as far, nullif(max(u.score), 0) as most from u) e
    order by 2 desc, 1 limit :pool)";
/// The same by reciprocal rank fusion.
pub(super) const BY_PLACES: &str =
    "h as materialized (select coalesce(a.id, b.id) as id, 61 * (coalesce(:weight / (60 + a.place), 0)
        + coalesce((1 - :weight) / (60 + b.place), 0)) as score
    from (select v.id, row_number() over (order by v.distance, v.id) as place from v) a
    full join (select t.id, row_number() over (order by t.score desc, t.id) as place from t) b on a.id = b.id
    order by 2 desc, 1 limit :pool)";

/// The chunks themselves. Each is looked up by its id, under the policies. Behind them stands how many were found by vectors.
pub(super) const CHUNKS: &str = " select c.id, c.source_id, (select s.name from ai.sources s where s.id = c.source_id),
        c.knowledge_base_id, c.text, h.score::float4, c.meta::text, {embedding}, {near}
    from h join lateral (select * from ai.chunks x where x.id = h.id offset 0) c on true
    order by h.score desc, h.id";

pub(super) const NEAR: &str = "(select count(*) from v)";

/// What Postgres makes of words and phrases, and whether it can compare misspelt words.
///
/// Of a word such as `boundary-layer` it makes three: the whole and its parts. Each counts by itself, so that the word finds `boundary
/// layer` as well; together, as `plainto_tsquery` has them, a chunk would need the whole.
pub(super) const PARSE: &str = "select t.term, p.phrase::text,
        (select to_regprocedure('word_similarity(text, text)') is not null from pg_catalog.pg_extension e where e.extname = 'pg_trgm')::text
    from (select coalesce((select c.oid::regconfig from pg_catalog.pg_ts_config c
            where c.cfgname = $3::text and c.cfgnamespace = 'pg_catalog'::regnamespace), 'pg_catalog.simple'::regconfig) as c) l,
        unnest($1::text::text[], $2::text::bool[]) with ordinality p(word, phrase, n)
    cross join lateral (
        select phraseto_tsquery(l.c, p.word)::text as term, 0 as place where p.phrase
        union all
        (select array_to_tsvector(array[w.lexeme])::text, w.positions[1] from unnest(to_tsvector(l.c, p.word)) w
            where not p.phrase order by 2 limit 16)) t
    order by p.n, t.place";

/// Chunks with words that look like those of the query, where none has the words themselves.
pub(super) const ALIKE: &str = "h as materialized (select l.id, l.score from (
        select c.id, word_similarity(:text, c.text) as score from ai.chunks c where {chunk}) l
    where l.score >= 0.5 order by l.score desc, l.id limit :pool)";

/// Whether so many chunks or more have these words in their `meta`.
pub(super) const COUNT_CANDIDATES: &str = "select (count(*))::text from (select from ai.chunk_words m
    where m.words @@ $1::text::tsquery and m.knowledge_base_id = any ($2::uuid[]) limit $3::text::bigint) x";

/// The text of the pages that chunks are on: what was read out of the document, or the chunks of the page.
pub(super) const PAGES: &str = "select h.id::text, coalesce(
        (select left(p.text, 40000) from ai.source_pages p where p.source_id = a.source_id and p.page = a.page),
        left((select string_agg(n.text, E'\\n\\n' order by n.chunk_index) from ai.chunks n
            where n.source_id = a.source_id and n.knowledge_base_id is not distinct from a.knowledge_base_id
                and n.meta -> 'page' = a.meta -> 'page'), 40000)), a.page::text
    from unnest($1::uuid[]) h(id)
    join lateral (select c.*, case when jsonb_typeof(c.meta -> 'page') = 'number'
            then trunc((c.meta ->> 'page')::numeric)::integer end as page
        from ai.chunks c where c.id = h.id offset 0) a on true
    where a.page is not null";
