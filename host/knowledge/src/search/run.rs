//! One search in bases that have the same model, language and method.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use behalf_caller_db::{
    AppLimits, CallerDb, FixedAccess, FixedRequest, FixedRow, FixedSetting, ReachRequest, Reached, array_literal,
};
use behalf_contracts::{RetrievalError, RetrievalQuery, RetrievedChunk, SearchMethod};
use behalf_identity::{CallerKey, Principal};
use serde_json::Value;
use uuid::Uuid;

use super::merge::Hit;
use super::plan::{self, COUNTED, EXACT_BASE, Facts, Plan, Vectors};
use super::problem::{of_reach, of_statement};
use super::statement::{Param, Shape, statement};
use super::words::{Terms, pieces};
use super::{BaseConfig, Fusion, graph_settings, meta_words, near, sql};

/// A hundred chunks of some thousand words.
const LIMITS: AppLimits = AppLimits { max_bytes: 32 * 1024 * 1024, deadline: Duration::from_secs(30) };

/// What finds out where the caller can have chunks gets little time: the search is right without it.
const REACH_LIMITS: AppLimits = AppLimits { max_bytes: 1024 * 1024, deadline: Duration::from_secs(1) };

/// Each list that is fused with another one has so many chunks at least.
const MIN_POOL: u32 = 50;

/// A search by vectors counts the chunks of so many sources, to choose its way. One by words has to know how many there are.
const SAMPLED: u32 = 64;

/// So many at least are taken of the index, whose distances are not those of the vectors themselves.
pub(super) const MIN_OVER: u32 = 20;

/// Up to so many candidates are found by words of their `meta`.
const CANDIDATES: u32 = 10_000;

/// Up to so many chunks, reading all of them costs less than reading the index of a common word.
const FEW_CHUNKS: u32 = 3_000;

/// The most numbers of a vector in an index.
pub(super) const MAX_INDEXED_DIMS: u16 = 4_000;

/// Plans are made for the parameters at hand. Pages are in memory or on a disk that reads any of them alike.
pub(super) const PLAIN: &[FixedSetting] =
    &["SET LOCAL jit = off", "SET LOCAL plan_cache_mode = force_custom_plan", "SET LOCAL random_page_cost = 1.1"];

/// Few chunks of known sources: words are looked for in them, not in everybody's, so the index of words, which a bitmap is needed for,
/// is left alone.
const FEW: &[FixedSetting] = &[
    "SET LOCAL jit = off",
    "SET LOCAL plan_cache_mode = force_custom_plan",
    "SET LOCAL random_page_cost = 1.1",
    "SET LOCAL enable_bitmapscan = off",
];

/// A search, and as whom it is done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) db: &'a CallerDb,
    pub(super) principal: &'a Arc<Principal>,
    pub(super) key: CallerKey,
    pub(super) query: &'a RetrievalQuery,
    /// How many chunks are wanted of each group.
    pub(super) top_k: u32,
    /// Whether the results are to be unlike each other, which takes their vectors.
    pub(super) mmr: Option<f32>,
}

impl Asked<'_> {
    /// Runs a statement as the caller.
    pub(super) async fn read(
        &self,
        settings: &[FixedSetting],
        variables: &[(&'static str, &str)],
        text: &'static str,
        params: &[Option<&str>],
    ) -> Result<Vec<FixedRow>, RetrievalError> {
        let (principal, key, access) = (self.principal, self.key, FixedAccess::Read);
        let request = FixedRequest { principal, key, access, settings, variables, text, params, limits: LIMITS };
        self.db.run_fixed(request).await.map_err(of_statement)
    }
}

/// Bases that one statement can search.
#[derive(Clone, Debug)]
pub(super) struct Group<'a> {
    bases: Vec<Uuid>,
    /// The model of their vectors.
    pub(super) model: Option<&'a (i16, String, u16)>,
    /// How they are searched.
    pub(super) method: SearchMethod,
    language: &'a str,
    weight: f32,
    by_places: bool,
}

impl<'a> Group<'a> {
    /// Puts bases together that are searched alike. `method` is that of the query, if it names one.
    pub(super) fn of(bases: &'a [BaseConfig], method: Option<SearchMethod>) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        for base in bases {
            let model = base.model.as_ref();
            let method = match (method.unwrap_or(base.method), model) {
                // Without vectors words are what there is; a tree is no matter of this search.
                (SearchMethod::Hybrid | SearchMethod::Tree, None) => SearchMethod::FullText,
                (SearchMethod::Tree, Some(_)) => SearchMethod::Hybrid,
                (method, _) => method,
            };
            let alike =
                |group: &&mut Self| group.method == method && group.model == model && group.language == base.language;
            match groups.iter_mut().find(alike) {
                Some(group) => group.bases.push(base.id),
                None => groups.push(Self {
                    bases: vec![base.id],
                    model,
                    method,
                    language: &base.language,
                    weight: base.vector_weight.clamp(0.0, 1.0),
                    by_places: base.fusion == Fusion::Places,
                }),
            }
        }
        groups
    }
}

/// The hits of one group.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) hits: Vec<Hit>,
    /// The way that the search took.
    pub(super) path: &'static str,
}

/// Searches one group. `vector` is that of the query; without one, vectors find nothing.
pub(super) async fn run(
    asked: &Asked<'_>,
    group: &Group<'_>,
    vector: Option<&[f32]>,
) -> Result<Listed, RetrievalError> {
    let search = Search { asked, group, vector: vector.map(vector_text), bases: array_of(&group.bases) };
    search.run().await
}

pub(super) struct Search<'a> {
    pub(super) asked: &'a Asked<'a>,
    group: &'a Group<'a>,
    vector: Option<String>,
    /// The literal of an array of the bases.
    pub(super) bases: String,
}

impl Search<'_> {
    async fn run(&self) -> Result<Listed, RetrievalError> {
        let query = self.asked.query;
        if self.group.method == SearchMethod::Vector
            && let (Some((model, _, dims)), Some(vector)) = (self.group.model, &self.vector)
            && query.source_ids.is_none()
            && query.filter_metadata.as_ref().is_none_or(serde_json::Map::is_empty)
        {
            return near::run(self, (*model, *dims), vector).await;
        }
        let wants_words = self.group.method != SearchMethod::Vector;
        let (reach, terms) = tokio::join!(self.reach(), self.terms(wants_words));
        let ((terms, finds_alike), reach) = (terms?, reach?);
        let Reached { reach, table_chunks } = reach;
        let facts = Facts { reach, named: self.asked.query.source_ids.as_deref(), table_chunks };
        let Some(plan) = plan::plan(facts) else { return Ok(Listed { hits: Vec::new(), path: "nothing" }) };
        let by_vectors = self.group.method != SearchMethod::FullText && self.vector.is_some();
        if !by_vectors && terms.is_empty() {
            return Ok(Listed { hits: Vec::new(), path: "no words" });
        }
        let candidates = if by_vectors { self.candidates().await? } else { None };
        let mut rows = self.rows(&plan, plan.vectors, by_vectors, &terms, candidates.as_deref()).await?;
        let mut path = plan.name;
        // The index gave up before it found enough, so all that is left is to look at everything.
        let is_short = by_vectors && candidates.is_none() && plan.vectors != Vectors::Exact && {
            let wanted = if terms.is_empty() { self.asked.top_k } else { self.pool() };
            rows.first().is_none_or(|row| number(row, NEAR) < wanted)
        };
        if is_short {
            rows = self.rows(&plan, Vectors::Exact, by_vectors, &terms, None).await?;
            path = "everything";
        }
        if rows.is_empty() && finds_alike && !by_vectors {
            rows = self.alike(&plan).await?;
            path = "alike";
        }
        let mut hits: Vec<Hit> = rows.iter().filter_map(|row| hit(row, self.asked.mmr.is_some())).collect();
        if self.asked.mmr.is_none() {
            hits.truncate(self.asked.top_k as usize);
        }
        Ok(Listed { hits, path })
    }

    /// Where the caller can have chunks, and how many.
    pub(super) async fn reach(&self) -> Result<Reached, RetrievalError> {
        self.asked.db.reach(self.request()).await.map_err(of_reach)
    }

    /// The same by an estimate of their number.
    pub(super) async fn rough_reach(&self) -> Result<Reached, RetrievalError> {
        self.asked.db.rough_reach(self.request(), plan::clearly_many).await.map_err(of_reach)
    }

    fn request(&self) -> ReachRequest<'_> {
        ReachRequest {
            principal: self.asked.principal,
            key: self.asked.key,
            knowledge_bases: &self.group.bases,
            most_chunks: COUNTED,
            most_of_all: EXACT_BASE + 1,
            counted_sources: if self.group.method == SearchMethod::Vector { SAMPLED } else { u32::MAX },
            limits: REACH_LIMITS,
        }
    }

    /// The words of the query as Postgres reads them, and whether it can compare misspelt ones.
    async fn terms(&self, wanted: bool) -> Result<(Terms, bool), RetrievalError> {
        let pieces = if wanted { pieces(&self.asked.query.text) } else { Vec::new() };
        if pieces.is_empty() {
            return Ok((Terms::default(), false));
        }
        let words = array_literal(&pieces.iter().map(|piece| &piece.text).collect::<Vec<_>>());
        let kinds =
            array_literal(&pieces.iter().map(|piece| if piece.is_phrase { "t" } else { "f" }).collect::<Vec<_>>());
        let params = [Some(&*words), Some(&*kinds), Some(self.group.language)];
        let rows = self.asked.read(&[], &[], sql::PARSE, &params).await?;
        let made = rows.iter().map(|row| (row.text(0).unwrap_or_default(), row.text(1) == Some("true")));
        Ok((Terms::new(made), rows.first().is_some_and(|row| row.text(2) == Some("true"))))
    }

    /// The words of the filter, if few chunks have them.
    async fn candidates(&self) -> Result<Option<String>, RetrievalError> {
        let Some(words) = self.asked.query.filter_metadata.as_ref().and_then(meta_words::query) else {
            return Ok(None);
        };
        let most = (CANDIDATES + 1).to_string();
        let params = [Some(&*words), Some(&*self.bases), Some(&*most)];
        let variables = [("behalf.text_query", &*words)];
        let rows = self.asked.read(PLAIN, &variables, sql::COUNT_CANDIDATES, &params).await?;
        let found = rows.first().map_or(u32::MAX, |row| number(row, 0));
        Ok((found <= CANDIDATES).then_some(words))
    }

    pub(super) fn pool(&self) -> u32 {
        self.asked.top_k.saturating_mul(4).max(MIN_POOL)
    }

    async fn rows(
        &self,
        plan: &Plan,
        vectors: Vectors,
        by_vectors: bool,
        terms: &Terms,
        candidates: Option<&str>,
    ) -> Result<Vec<FixedRow>, RetrievalError> {
        // Two queries of words cannot be set at once: candidates are for searches by vectors alone.
        let candidates = candidates.filter(|_| terms.is_empty());
        let model = self.group.model.filter(|_| by_vectors);
        let has_index = model.is_some_and(|(_, _, dims)| *dims <= MAX_INDEXED_DIMS);
        let vectors = if candidates.is_some() || !has_index { Vectors::Exact } else { vectors };
        let shape = Shape {
            vectors: model.map(|(number, _, dims)| (vectors, *number, *dims)),
            terms: Some(terms.each.len()).filter(|number| *number > 0),
            // The index would only be delayed by the names of sources that the policies ask for anyway.
            sources: plan.sources.is_some() && (vectors == Vectors::Exact || self.asked.query.source_ids.is_some()),
            word_sources: plan.sources.is_some(),
            candidates: candidates.is_some(),
            returns_vectors: self.asked.mmr.is_some() && by_vectors,
            ..self.shape()
        };
        let variables: Vec<(&'static str, &str)> = match (candidates, terms.is_empty()) {
            (Some(words), _) => vec![("behalf.text_query", words)],
            (None, false) => vec![("behalf.text_query", &terms.all)],
            (None, true) => Vec::new(),
        };
        let graph = shape.vectors.and_then(|(vectors, ..)| graph_settings::settings(vectors, plan.table_chunks));
        let settings = match graph {
            Some(graph) => graph,
            None if plan.sources.is_some() && plan.visible.is_some_and(|chunks| chunks <= FEW_CHUNKS) => FEW,
            None => PLAIN,
        };
        self.fixed(plan, shape, settings, &variables, (terms, candidates)).await
    }

    async fn alike(&self, plan: &Plan) -> Result<Vec<FixedRow>, RetrievalError> {
        // Texts are compared one by one, so only where they are few.
        if plan.vectors != Vectors::Exact {
            return Ok(Vec::new());
        }
        let shape = Shape { alike: true, sources: plan.sources.is_some(), ..self.shape() };
        self.fixed(plan, shape, PLAIN, &[], (&Terms::default(), None)).await
    }

    /// What the query asks of every statement.
    fn shape(&self) -> Shape {
        let query = self.asked.query;
        Shape {
            vectors: None,
            terms: None,
            alike: false,
            sources: false,
            word_sources: false,
            own: query.own_sources_only,
            meta: query.filter_metadata.as_ref().is_some_and(|filter| !filter.is_empty()),
            candidates: false,
            returns_vectors: false,
            by_places: self.group.by_places,
        }
    }

    async fn fixed(
        &self,
        plan: &Plan,
        shape: Shape,
        settings: &[FixedSetting],
        variables: &[(&'static str, &str)],
        (terms, candidates): (&Terms, Option<&str>),
    ) -> Result<Vec<FixedRow>, RetrievalError> {
        let statement = statement(shape).ok_or(RetrievalError::Busy)?;
        let pool = if shape.terms.is_some() && shape.vectors.is_some() || self.asked.mmr.is_some() {
            self.pool()
        } else {
            self.asked.top_k
        };
        let over = pool.max(self.asked.top_k.saturating_mul(2)).max(MIN_OVER);
        let texts: HashMap<Param, String> = [
            (Param::Pool, pool.to_string()),
            (Param::Over, over.to_string()),
            (Param::Weight, self.group.weight.to_string()),
            (Param::Sources, plan.sources.as_deref().map(array_of).unwrap_or_default()),
            (Param::Meta, self.asked.query.filter_metadata.clone().map(Value::Object).unwrap_or_default().to_string()),
        ]
        .into();
        let visible = plan.visible.map(|number| number.to_string());
        let params: Vec<Option<&str>> = statement
            .params
            .iter()
            .map(|param| match param {
                Param::Bases => Some(&*self.bases),
                Param::Vector => self.vector.as_deref(),
                Param::Words => candidates,
                Param::Any => Some(&*terms.all),
                Param::Visible => visible.as_deref(),
                Param::Text => Some(&*self.asked.query.text),
                Param::Term(n) => terms.each.get(*n).map(String::as_str),
                Param::Pool | Param::Over | Param::Weight | Param::Sources | Param::Meta => {
                    texts.get(param).map(String::as_str)
                }
            })
            .collect();
        self.asked.read(settings, variables, statement.text, &params).await
    }
}

/// The column of the number of chunks that were found by vectors.
pub(super) const NEAR: usize = 8;

/// A number of a row; 0 where there is none.
pub(super) fn number(row: &FixedRow, column: usize) -> u32 {
    row.text(column).and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// The literal of an array of ids.
pub(super) fn array_of(ids: &[Uuid]) -> String {
    let ids: Vec<String> = ids.iter().map(Uuid::to_string).collect();
    format!("{{{}}}", ids.join(","))
}

fn vector_text(numbers: &[f32]) -> String {
    let numbers: Vec<String> = numbers.iter().map(f32::to_string).collect();
    format!("[{}]", numbers.join(","))
}

/// Reads a row; one without an id or a source is none.
pub(super) fn hit(row: &FixedRow, has_vector: bool) -> Option<Hit> {
    let id = |column| row.text(column).and_then(|text| text.parse::<Uuid>().ok());
    let chunk = RetrievedChunk {
        chunk_id: id(0)?,
        source_id: id(1)?,
        source_name: row.text(2).map(str::to_owned),
        knowledge_base_id: id(3),
        text: row.text(4).unwrap_or_default().to_owned(),
        score: row.text(5).and_then(|text| text.parse().ok()).unwrap_or_default(),
        meta: row.text(6).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default(),
    };
    let vector = row.text(7).filter(|_| has_vector).map(read_vector).unwrap_or_default();
    Some(Hit { chunk, vector })
}

fn read_vector(text: &str) -> Vec<f32> {
    let inner = text.trim_start_matches('[').trim_end_matches(']');
    inner.split(',').filter_map(|number| number.parse().ok()).collect()
}
