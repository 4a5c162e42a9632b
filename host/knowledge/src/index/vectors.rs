//! Makes vectors of chunks that have none: those that SQL added to a base, or whose text it changed.

use std::time::{Duration, Instant};

use behalf_embeddings::{EmbeddingError, Purpose};
use behalf_problem::LogText as _;
use pgvector::Vector;
use sqlx::FromRow;
use thiserror::Error;
use uuid::Uuid;

use crate::config::Strategy;
use crate::state::Knowledge;

/// Chunks of a batch.
const BATCH: i64 = 32;
/// How long one look may take: other work of the host's own waits for its place.
const AT_MOST: Duration = Duration::from_secs(20);

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
pub(crate) enum VectorsError {
    /// The database did not answer.
    #[error("the database did not answer")]
    Database(#[from] sqlx::Error),
    /// A model did not answer. It is asked again at the next look.
    #[error("an embedding model did not answer")]
    Model(#[from] EmbeddingError),
}

#[derive(Debug, FromRow)]
struct Row {
    id: Uuid,
    text: String,
    model: String,
}

/// Makes vectors until all chunks have one, or the time is over. A model that fails does not hold up the others.
pub(super) async fn embed_chunks(knowledge: &Knowledge) -> Result<(), VectorsError> {
    let (began, mut failed) = (Instant::now(), Vec::new());
    while began.elapsed() < AT_MOST {
        let rows = without(knowledge, &failed).await?;
        let Some(model) = rows.first().map(|row| row.model.clone()) else { return Ok(()) };
        let rows: Vec<Row> = rows.into_iter().filter(|row| row.model == model).collect();
        match embed(knowledge, &model, rows).await {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(VectorsError::Model(error)) => {
                tracing::warn!(error = error.log_text(), "chunks that were added by SQL have no vectors yet");
                failed.push(model);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn without(knowledge: &Knowledge, failed: &[String]) -> Result<Vec<Row>, sqlx::Error> {
    let strategies = [Strategy::ChunkEmbed, Strategy::FullDocument, Strategy::Doc2Json].map(Strategy::as_str);
    let mut tx = knowledge.db.begin_as_host().await?;
    let rows = sqlx::query_as(WITHOUT).bind(BATCH).bind(&strategies[..]).bind(failed).fetch_all(&mut *tx).await?;
    tx.commit().await?;
    Ok(rows)
}

/// Returns how many chunks have a vector now.
async fn embed(knowledge: &Knowledge, model: &str, rows: Vec<Row>) -> Result<u64, VectorsError> {
    let dims = knowledge.embeddings.dims(model).await?;
    let number = knowledge.model_table.add(&knowledge.db, model, dims).await?;
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
