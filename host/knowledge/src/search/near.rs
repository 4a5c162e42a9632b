//! Searches by vectors alone.
//!
//! Their statement reads each chunk in one place, so Postgres evaluates the policies on `ai.chunks` once for it. How many chunks the
//! caller sees is estimated, because a count would ask the policies once more; a statement that compares chunks one by one stops where
//! there are too many, and the search begins again by the index.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use behalf_caller_db::{FixedRow, FixedSetting, Reach, Reached};
use behalf_contracts::RetrievalError;
use uuid::Uuid;

use super::plan::{self, Facts, Vectors};
use super::run::{Listed, MAX_INDEXED_DIMS, MIN_OVER, NEAR, PLAIN, Search, array_of, hit, number};
use super::{graph_settings, sql};

/// Statements that are kept. There are some ten for each model; beyond this number something is wrong.
const MAX_TEXTS: usize = 5_000;

/// More chunks than any table has.
const ALL: &str = "9223372036854775807";

/// Which statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Shape {
    /// How chunks are compared.
    vectors: Vectors,
    /// The number and the dimensions of the model.
    model: (i16, u16),
    /// Whether sources are named.
    sources: bool,
    /// Whether only the caller's own sources count.
    own: bool,
    /// Whether the vectors of the chunks are returned.
    returns_vectors: bool,
}

/// One by one. The sum keeps Postgres from the index, which would stop too early. The row whose number is the bound comes first.
const EXACT: &str = "v as materialized (select n.* from (
        select x.*, row_number() over () as place from (
            select {columns}, (c.embedding <=> $2::text::vector) + 0 as distance from ai.chunks c
            where c.embedding_model = {model} and {chunk} limit $4::text::bigint) x) n
    order by (n.place = $4::text::bigint) desc, n.distance, n.id limit $3::text::bigint)";

/// By the index, which knows vectors at half precision; then by their own distance.
const GRAPH_OF: &str = "v as materialized (select g.* from (
        select {columns}, c.embedding <=> $2::text::vector as distance from ai.chunks c
        where c.embedding_model = {model} and {chunk}
        order by c.embedding::halfvec({dims}) <=> $2::text::vector::halfvec({dims}) limit $4::text::bigint) g
    order by g.distance, g.id limit $3::text::bigint)";

const COLUMNS: &str = "c.id, c.source_id, c.knowledge_base_id, c.text, c.meta";

/// The columns of every search; the last one is how many chunks were compared one by one, or were found by the index.
const CHUNKS: &str = " select v.id, v.source_id, (select s.name from ai.sources s where s.id = v.source_id),
        v.knowledge_base_id, v.text, greatest(0, 1 - nullif(v.distance, 'NaN'))::float4, v.meta::text, {embedding}, {near}
    from v order by v.distance, v.id";

static TEXTS: LazyLock<Mutex<HashMap<Shape, &'static str>>> = LazyLock::new(Mutex::default);

/// The statement of a shape; none if there are too many. Its parameters are the bases, the vector, how many chunks are returned, how many
/// are looked at or taken of the index, and the sources if they are named.
fn statement(shape: Shape) -> Option<&'static str> {
    let mut texts = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = texts.get(&shape) {
        return Some(known);
    }
    if texts.len() >= MAX_TEXTS {
        return None;
    }
    let text: &'static str = Box::leak(written(shape).into_boxed_str());
    texts.insert(shape, text);
    Some(text)
}

fn written(shape: Shape) -> String {
    let mut chunk = "c.knowledge_base_id = any ($1::uuid[])".to_owned();
    if shape.sources {
        chunk += " and c.source_id = any ($5::uuid[])";
    }
    if shape.own {
        chunk += sql::CHUNK_OWN;
    }
    let (columns, embedding) = if shape.returns_vectors {
        (format!("{COLUMNS}, c.embedding"), "v.embedding::text")
    } else {
        (COLUMNS.to_owned(), "null")
    };
    let (found, near) = if shape.vectors == Vectors::Exact {
        (EXACT, "(select max(w.place) from v w)")
    } else {
        (GRAPH_OF, "(select count(*) from v w)")
    };
    let (model, dims) = shape.model;
    let found = found
        .replace("{columns}", &columns)
        .replace("{chunk}", &chunk)
        .replace("{model}", &model.to_string())
        .replace("{dims}", &dims.to_string());
    format!("with {found}{}", CHUNKS.replace("{embedding}", embedding).replace("{near}", near))
}

/// Searches by the vector of the query, which is a text as Postgres reads it.
pub(super) async fn run(
    search: &Search<'_>,
    (model, dims): (i16, u16),
    vector: &str,
) -> Result<Listed, RetrievalError> {
    let Reached { mut reach, table_chunks } = search.rough_reach().await?;
    let most = plan::most_exact(table_chunks);
    if matches!(reach, Reach::Sources { chunks, .. } if chunks > most) {
        // Which way is the better one is to be known more exactly.
        reach = search.reach().await?.reach;
    }
    let is_many = reach == Reach::Many;
    let Some(plan) = plan::plan(Facts { reach, named: None, table_chunks }) else {
        return Ok(Listed { hits: Vec::new(), path: "nothing" });
    };
    let near = Near { search, model: (model, dims), vector, table_chunks };
    let (mut vectors, mut path) = (plan.vectors, plan.name);
    let has_index = dims <= MAX_INDEXED_DIMS;
    let mut rows = Vec::new();
    if vectors == Vectors::Exact || !has_index {
        let bound = plan.sources.as_ref().filter(|_| has_index).map(|_| most.saturating_mul(2));
        rows = near.exact(plan.sources.as_deref(), bound).await?;
        vectors = Vectors::Exact;
        if bound.is_some_and(|bound| found(&rows) >= bound) {
            (vectors, path) = (Vectors::WideGraph, "graph of sources");
        }
    }
    if vectors != Vectors::Exact {
        rows = near.graph(vectors).await?;
        // The index gave up before it found enough, so all that is left is to look at everything.
        if found(&rows) < search.asked.top_k {
            let mut sources = plan.sources;
            if is_many && let Reach::Sources { ids, .. } = search.reach().await?.reach {
                sources = Some(ids);
            }
            rows = near.exact(sources.as_deref(), None).await?;
            path = "everything";
        }
    }
    let has_vector = search.asked.mmr.is_some();
    let mut hits: Vec<_> = rows.iter().filter_map(|row| hit(row, has_vector)).collect();
    if !has_vector {
        hits.truncate(search.asked.top_k as usize);
    }
    Ok(Listed { hits, path })
}

/// How many chunks were compared, or found by the index.
fn found(rows: &[FixedRow]) -> u32 {
    rows.first().map_or(0, |row| number(row, NEAR))
}

struct Near<'a> {
    search: &'a Search<'a>,
    model: (i16, u16),
    vector: &'a str,
    /// All chunks of everybody.
    table_chunks: u64,
}

impl Near<'_> {
    /// Compares the chunks of these sources, or all that the caller sees, but no more than `bound`.
    async fn exact(&self, sources: Option<&[Uuid]>, bound: Option<u32>) -> Result<Vec<FixedRow>, RetrievalError> {
        let bound = bound.map_or_else(|| ALL.to_owned(), |bound| bound.to_string());
        let sources = sources.map(array_of);
        self.ask(Vectors::Exact, PLAIN, (&bound, sources.as_deref())).await
    }

    /// Asks the index, from which more is taken than is returned.
    async fn graph(&self, vectors: Vectors) -> Result<Vec<FixedRow>, RetrievalError> {
        let over = self.wanted().max(self.search.asked.top_k.saturating_mul(2)).max(MIN_OVER);
        let settings = graph_settings::settings(vectors, self.table_chunks).unwrap_or(PLAIN);
        self.ask(vectors, settings, (&over.to_string(), None)).await
    }

    fn wanted(&self) -> u32 {
        if self.search.asked.mmr.is_some() { self.search.pool() } else { self.search.asked.top_k }
    }

    async fn ask(
        &self,
        vectors: Vectors,
        settings: &[FixedSetting],
        (most, sources): (&str, Option<&str>),
    ) -> Result<Vec<FixedRow>, RetrievalError> {
        let asked = self.search.asked;
        let shape = Shape {
            vectors,
            model: self.model,
            sources: sources.is_some(),
            own: asked.query.own_sources_only,
            returns_vectors: asked.mmr.is_some(),
        };
        let text = statement(shape).ok_or(RetrievalError::Busy)?;
        let wanted = self.wanted().to_string();
        let mut params = vec![Some(&*self.search.bases), Some(self.vector), Some(&*wanted), Some(most)];
        params.extend(sources.map(Some));
        asked.read(settings, &[], text, &params).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_is_one_statement_with_all_its_parameters() {
        for flags in 0..8_u32 {
            for vectors in [Vectors::Exact, Vectors::Graph, Vectors::WideGraph] {
                let bit = |n: u32| flags & (1 << n) != 0;
                let shape = Shape { vectors, model: (7, 384), sources: bit(0), own: bit(1), returns_vectors: bit(2) };
                let text = statement(shape).expect("not too many");
                assert!(!text.contains('{') && !text.contains('}'), "{text}");
                for number in 1..=5 {
                    let is_there = text.contains(&format!("${number}::"));
                    assert_eq!(is_there, number < 5 || shape.sources, "{number} in {text}");
                }
                assert_eq!(text.matches("ai.chunks").count(), 1, "the policies are asked once: {text}");
                assert!(std::ptr::eq(text, statement(shape).expect("the same")));
            }
        }
    }
}
