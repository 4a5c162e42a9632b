//! Makes vectors of chunks that have none: those that SQL added to a base, or whose text it changed. A job of the host's own.

use std::time::{Duration, Instant};

use behalf_embeddings::{EmbeddingError, Purpose};
use behalf_host_db::HostTx;
use behalf_queue::{AddError, Done, Ended, Failure, Handler, Job, JobLimits, NewJob};
use futures::future::BoxFuture;
use pgvector::Vector;
use serde_json::json;
use sqlx::FromRow;
use thiserror::Error;
use uuid::Uuid;

use super::INDEXING_LANE;
use crate::config::Strategy;
use crate::state::Knowledge;

/// The job.
const VECTORS: &str = "knowledge.vectors";

/// There is one at a time.
const KEY: &str = "all";

/// A server that is away for a day is asked until then; a later look adds another job.
const ATTEMPTS: u32 = 1_000;
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// Chunks of a batch.
const BATCH: i64 = 32;
/// How long one job goes on before it gives its place to others.
const AT_MOST: Duration = Duration::from_mins(1);

/// A base whose configuration names no model has no vectors: SQL made it.
const WITHOUT: &str = "
    select c.id, c.text, b.indexing_config ->> 'embedding_model' as model
    from ai.knowledge_bases b
    cross join lateral (
        select c.id, c.text from ai.chunks c
        where c.knowledge_base_id = b.id and c.embedding is null and c.text <> '' and not (c.meta ? 'node_id') limit $1) c
    where jsonb_typeof(b.indexing_config -> 'embedding_model') = 'string'
      and b.indexing_config ->> 'strategy' = any($2) and not (b.indexing_config ->> 'embedding_model' = any($3))
    limit $1";

/// A chunk whose text was changed meanwhile waits for the next look.
const PUT: &str = "
    update ai.chunks c set embedding = made.embedding, embedding_model = $4
    from unnest($1::uuid[], $2::text[], $3::vector[]) as made (id, text, embedding)
    where c.id = made.id and c.text = made.text and c.embedding is null";

/// Why vectors were not made.
#[derive(Debug, Error)]
enum VectorsError {
    /// The database did not answer.
    #[error("the database did not answer")]
    Database(#[from] sqlx::Error),
    /// A model did not answer.
    #[error("an embedding model did not answer")]
    Model(#[from] EmbeddingError),
}

#[derive(Debug, FromRow)]
struct Row {
    id: Uuid,
    text: String,
    model: String,
}

/// Makes vectors of chunks that SQL added.
#[derive(Debug)]
pub(super) struct VectorsHandler {
    knowledge: Knowledge,
}

/// Adds the job, if there is something to do.
pub(super) async fn add_job(knowledge: &Knowledge) -> Result<(), sqlx::Error> {
    if without(knowledge, 1, &[]).await?.is_empty() {
        return Ok(());
    }
    let job = NewJob {
        lane: INDEXING_LANE,
        kind: VECTORS,
        unique_key: Some(KEY),
        payload: json!({}),
        max_attempts: ATTEMPTS,
        delay: Duration::ZERO,
    };
    let mut tx = knowledge.db.begin_as_host().await?;
    match knowledge.queue.add_as_host(&mut tx, &job).await {
        // Where too much of the host's own work waits, a later look adds it.
        Ok(_) | Err(AddError::Full(_)) => tx.commit().await,
        Err(AddError::Database(error)) => Err(error),
    }
}

impl VectorsHandler {
    /// Makes vectors for these knowledge bases.
    pub(super) fn new(knowledge: Knowledge) -> Self {
        Self { knowledge }
    }

    async fn attempt(&self, job: &Job) -> Result<Done, Failure> {
        tokio::select! {
            biased;
            _ = job.stopped() => return Err(Failure::Stopped),
            made = self.embed_all() => made?,
        }
        job.finish(job.begin().await?).await
    }

    /// Makes vectors until all chunks have one, or the time is over. A model that fails does not hold up the others.
    async fn embed_all(&self) -> Result<(), Failure> {
        let (began, mut failed, mut last) = (Instant::now(), Vec::new(), None);
        while began.elapsed() < AT_MOST {
            let rows = without(&self.knowledge, BATCH, &failed).await?;
            let Some(model) = rows.first().map(|row| row.model.clone()) else { break };
            let rows: Vec<Row> = rows.into_iter().filter(|row| row.model == model).collect();
            match embed(&self.knowledge, &model, rows).await {
                // Others changed these chunks; the next look is soon.
                Ok(0) => break,
                Ok(_) => {}
                Err(error @ VectorsError::Model(_)) => {
                    failed.push(model);
                    last = Some(error);
                }
                Err(error) => return Err(Failure::retry(error)),
            }
        }
        last.map_or(Ok(()), |error| Err(Failure::retry(error)))
    }
}

impl Handler for VectorsHandler {
    fn kind(&self) -> &'static str {
        VECTORS
    }

    fn limits(&self) -> JobLimits {
        JobLimits { longest_wait: LONGEST_WAIT, ..JobLimits::default() }
    }

    fn run<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Result<Done, Failure>> {
        Box::pin(self.attempt(job))
    }

    /// The chunks stay as they are, and a later look adds another job.
    fn gave_up<'a>(&'a self, _tx: &'a mut HostTx, _job: &'a Ended<'a>) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

async fn without(knowledge: &Knowledge, most: i64, failed: &[String]) -> Result<Vec<Row>, sqlx::Error> {
    let strategies = [Strategy::ChunkEmbed, Strategy::FullDocument, Strategy::Doc2Json].map(Strategy::as_str);
    let mut tx = knowledge.db.begin_as_host().await?;
    let rows = sqlx::query_as(WITHOUT).bind(most).bind(&strategies[..]).bind(failed).fetch_all(&mut *tx).await?;
    tx.commit().await?;
    Ok(rows)
}

/// Returns how many chunks have a vector now.
async fn embed(knowledge: &Knowledge, model: &str, rows: Vec<Row>) -> Result<u64, VectorsError> {
    let dims = knowledge.embeddings.dims(model).await?;
    let number = knowledge.model_table.numbers.add(&knowledge.db, model, dims).await?;
    let number = number.ok_or(EmbeddingError::Answer("its vectors have too many numbers"))?;
    let (ids, texts): (Vec<Uuid>, Vec<String>) = rows.into_iter().map(|row| (row.id, row.text)).unzip();
    let vectors = knowledge.embeddings.embed(model, Purpose::Document, &texts).await?;
    let vectors: Vec<Vector> = vectors.into_iter().map(Vector::from).collect();
    if vectors.len() != ids.len() {
        return Err(EmbeddingError::Answer("a vector is missing").into());
    }
    let mut tx = knowledge.db.begin_as_host().await?;
    let put = sqlx::query(PUT)
        .bind(ids)
        .bind(texts)
        .bind(vectors)
        .bind(number.number)
        .execute(&mut *tx)
        .await?
        .rows_affected();
    tx.commit().await?;
    Ok(put)
}
