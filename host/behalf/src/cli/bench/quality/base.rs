//! The collection in a knowledge base: indexed by the host, or put back as an earlier run left it; and searches over HTTP.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection};
use uuid::Uuid;

use super::super::test_bed::TestBed;
use super::collection::Collection;

/// The ways to search that are measured.
pub(super) const METHODS: [&str; 3] = ["full_text", "vector_search", "hybrid"];

/// Chunks of an answer. A document may have several, and ten documents count.
const TOP_K: u32 = 30;

/// How long the host may take to index everything.
const PATIENCE: Duration = Duration::from_hours(1);

/// Ids of sources end with the number of their document.
const SOURCE: u128 = 0x00c0_11ec_0000_4000_8000_0000_0000_0000;

const ADD_SOURCE: &str = "insert into ai.sources (id, owner_id, name, file_type, extraction_status, pages, pages_done)
     values ($1, $2, $3, 'md', 'extracted', 1, 1)";
const ADD_PAGE: &str = "insert into ai.source_pages (source_id, page, text) values ($1, 1, $2)";
const FAULT: &str = "select error_message from ai.indexed_sources where index_status = 'failed' limit 1";
const COUNT: &str = "select count(*) from ai.indexed_sources where index_status = $1";
const CHUNKS: &str =
    "select c.source_id, jsonb_build_object('index', c.chunk_index, 'text', c.text, 'start', c.start_char,
         'end', c.end_char, 'tokens', c.tokens, 'meta', c.meta, 'model', m.name, 'vector', c.embedding::text)
     from ai.chunks c join ai.embedding_models m on m.id = c.embedding_model order by c.source_id, c.chunk_index";
const PUT_PLACE: &str = "insert into ai.indexed_sources (knowledge_base_id, source_id, index_status, indexed_at)
     select $1, s.id, 'indexed', now() from ai.sources s";
const PUT_CHUNK: &str =
    "insert into ai.chunks (indexed_source_id, knowledge_base_id, source_id, text, chunk_index, start_char, end_char,
         tokens, meta, embedding_model, embedding)
     select i.id, i.knowledge_base_id, i.source_id, $2 ->> 'text', ($2 ->> 'index')::integer, ($2 ->> 'start')::integer,
         ($2 ->> 'end')::integer, ($2 ->> 'tokens')::integer, $2 -> 'meta',
         (select m.id from ai.embedding_models m where m.name = $2 ->> 'model'), ($2 ->> 'vector')::vector
     from ai.indexed_sources i where i.source_id = $1";
/// By itself: it makes an index of the table that the statement above writes.
const ADD_MODEL: &str = "select behalf.add_embedding_model($1 ->> 'model', vector_dims(($1 ->> 'vector')::vector))";

/// What an earlier run left.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    /// How it was indexed.
    config: Value,
    chunks: Vec<(Uuid, Value)>,
}

/// The base.
#[derive(Debug)]
pub(super) struct Base {
    id: Uuid,
    http: reqwest::Client,
    /// How many chunks it has.
    pub(super) chunks: usize,
    /// What indexing took.
    pub(super) indexing: Value,
    /// The vector of each chunk, with its document.
    pub(super) vectors: Vec<(u32, Vec<f32>)>,
}

/// What a search found: documents with their scores, one for each chunk.
#[derive(Clone, Debug, Default)]
pub(super) struct Found(Vec<u32>);

impl Found {
    /// Each document once, at its best place.
    pub(super) fn documents(&self) -> Vec<u32> {
        let mut seen = std::collections::HashSet::new();
        self.0.iter().copied().filter(|document| seen.insert(*document)).collect()
    }
}

impl Base {
    /// Stores the collection as documents of the bed's first caller, and has it indexed.
    pub(super) async fn index(
        bed: &TestBed,
        collection: &Collection,
        kept: &Path,
        bar: &ProgressBar,
    ) -> anyhow::Result<Self> {
        let mut owner = connect(bed).await?;
        let user = bed.callers.first().context("nobody calls")?.user;
        for document in &collection.documents {
            let id = source_id(document.number);
            sqlx::query(ADD_SOURCE).bind(id).bind(user).bind(document.number.to_string()).execute(&mut owner).await?;
            sqlx::query(ADD_PAGE).bind(id).bind(document.markdown()).execute(&mut owner).await?;
        }
        let http = reqwest::Client::new();
        let body = json!({ "name": "Cranfield" });
        let made = post(&http, bed, &bed.token, "/api/knowledge-bases", body).await?;
        let id: Uuid = made["id"].as_str().context("no base was made")?.parse()?;
        let config = made["indexing_config"].clone();
        let file = kept.join("chunks.json");
        let earlier = std::fs::read(&file).ok().and_then(|bytes| serde_json::from_slice::<Kept>(&bytes).ok());
        let (indexing, chunks) = if let Some(earlier) = earlier.filter(|earlier| earlier.config == config) {
            put_back(&mut owner, id, &earlier.chunks).await?;
            (json!("put back as an earlier run left it"), earlier.chunks)
        } else {
            let began = Instant::now();
            index(&http, bed, id, collection, &mut owner, bar).await?;
            let seconds = began.elapsed().as_secs_f64();
            let chunks: Vec<(Uuid, Value)> = sqlx::query_as(CHUNKS).fetch_all(&mut owner).await?;
            std::fs::write(&file, serde_json::to_vec(&Kept { config, chunks: chunks.clone() })?)?;
            (json!({ "seconds": seconds.round() }), chunks)
        };
        sqlx::raw_sql("analyze ai.chunks; analyze ai.chunk_words; analyze ai.sources").execute(&mut owner).await?;
        let vectors = chunks.iter().map(|(source, chunk)| Ok((number(*source), vector(chunk)?)));
        let vectors = vectors.collect::<anyhow::Result<Vec<_>>>()?;
        Ok(Self { id, http, chunks: chunks.len(), indexing, vectors })
    }

    /// Searches for every question, as the bed's first caller.
    pub(super) async fn search_all(
        &self,
        bed: &TestBed,
        collection: &Collection,
        method: &str,
    ) -> anyhow::Result<Vec<Found>> {
        let mut found = Vec::new();
        for question in &collection.questions {
            found.push(self.search(bed, &bed.token, question, (method, TOP_K)).await?);
        }
        Ok(found)
    }

    /// Searches with somebody's token.
    pub(super) async fn search(
        &self,
        bed: &TestBed,
        token: &str,
        question: &str,
        (method, top_k): (&str, u32),
    ) -> anyhow::Result<Found> {
        let body = json!({ "query": question, "top_k": top_k, "retrieval_method": method });
        let path = format!("/api/knowledge-bases/{}/search", self.id);
        let answer = post(&self.http, bed, token, &path, body).await?;
        let results = answer["results"].as_array().context("no results")?;
        let sources = results.iter().filter_map(|result| result["source_id"].as_str()?.parse().ok());
        Ok(Found(sources.map(number).collect()))
    }

    /// Gives each document to an owner. The chunks and their vectors stay as they are.
    pub(super) async fn deal_out(&self, bed: &TestBed, owners: &[(u32, Uuid)]) -> anyhow::Result<()> {
        let mut owner = connect(bed).await?;
        for (document, user) in owners {
            let update = sqlx::query("update ai.sources set owner_id = $2 where id = $1");
            update.bind(source_id(*document)).bind(user).execute(&mut owner).await?;
        }
        sqlx::raw_sql("analyze ai.sources").execute(&mut owner).await?;
        Ok(())
    }
}

async fn connect(bed: &TestBed) -> anyhow::Result<PgConnection> {
    Ok(bed.postgres().owner_url().parse::<PgConnectOptions>()?.connect().await?)
}

async fn index(
    http: &reqwest::Client,
    bed: &TestBed,
    base: Uuid,
    collection: &Collection,
    owner: &mut PgConnection,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    let path = format!("/api/knowledge-bases/{base}/sources");
    for document in &collection.documents {
        let body = json!({ "source_id": source_id(document.number) });
        post(http, bed, &bed.token, &path, body).await?;
    }
    let began = Instant::now();
    let all = i64::try_from(collection.documents.len())?;
    loop {
        let done: i64 = sqlx::query_scalar(COUNT).bind("indexed").fetch_one(&mut *owner).await?;
        let fault: Option<Option<String>> = sqlx::query_scalar(FAULT).fetch_optional(&mut *owner).await?;
        ensure!(fault.is_none(), "a document could not be indexed: {}", fault.flatten().unwrap_or_default());
        bar.set_message(format!("indexing: {done} of {all}"));
        if done == all {
            return Ok(());
        }
        ensure!(began.elapsed() < PATIENCE, "indexing does not end");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn put_back(owner: &mut PgConnection, base: Uuid, chunks: &[(Uuid, Value)]) -> anyhow::Result<()> {
    sqlx::query(PUT_PLACE).bind(base).execute(&mut *owner).await?;
    let (_, first) = chunks.first().context("no chunks were kept")?;
    sqlx::query(ADD_MODEL).bind(first).execute(&mut *owner).await?;
    for (source, chunk) in chunks {
        sqlx::query(PUT_CHUNK).bind(source).bind(chunk).execute(&mut *owner).await?;
    }
    Ok(())
}

async fn post(http: &reqwest::Client, bed: &TestBed, token: &str, path: &str, body: Value) -> anyhow::Result<Value> {
    let request = http.post(format!("http://{}{path}", bed.address)).header("apikey", &bed.anon_key).bearer_auth(token);
    let answer = request.json(&body).send().await?;
    let status = answer.status();
    let said: Value = answer.json().await.unwrap_or_default();
    if !status.is_success() {
        bail!("{path} was answered with {status}: {said}");
    }
    Ok(said)
}

fn source_id(document: u32) -> Uuid {
    Uuid::from_u128(SOURCE + u128::from(document))
}

/// The document of a source.
fn number(source: Uuid) -> u32 {
    u32::try_from(source.as_u128() - SOURCE).unwrap_or_default()
}

fn vector(chunk: &Value) -> anyhow::Result<Vec<f32>> {
    Ok(serde_json::from_str(chunk["vector"].as_str().context("a chunk has no vector")?)?)
}
