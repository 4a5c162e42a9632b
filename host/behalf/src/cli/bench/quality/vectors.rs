//! Exact search by vectors of whole documents, computed here: what cutting into chunks and searching in the database can lose.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use behalf_config::environment;
use behalf_embeddings::{EmbeddingOptions, Embeddings, Purpose};
use indicatif::ProgressBar;

use super::collection::Collection;
use super::score::ranked;

/// Documents whose vectors are made at once.
const BATCH: usize = 32;

/// Vectors of documents and questions.
#[derive(Debug)]
pub(super) struct Vectors {
    numbers: Vec<u32>,
    documents: Vec<Vec<f32>>,
    questions: Vec<Vec<f32>>,
}

impl Vectors {
    /// Makes them by the default model, or reads those of an earlier run.
    pub(super) async fn make(collection: &Collection, kept: &Path, bar: &ProgressBar) -> anyhow::Result<Self> {
        let weights = environment("BEHALF_EMBEDDING_WEIGHTS").map(PathBuf::from);
        let embeddings = Embeddings::new(EmbeddingOptions { weights, ..EmbeddingOptions::default() })?;
        let texts: Vec<String> = collection.documents.iter().map(|document| document.text.clone()).collect();
        let documents = made(&embeddings, Purpose::Document, &texts, &kept.join("documents.json"), bar).await?;
        let questions = &collection.questions;
        let questions = made(&embeddings, Purpose::Query, questions, &kept.join("questions.json"), bar).await?;
        let numbers = collection.documents.iter().map(|document| document.number).collect();
        Ok(Self { numbers, documents, questions })
    }

    /// For each question all documents, the nearest first.
    pub(super) fn search_all(&self) -> Vec<Vec<u32>> {
        let nearest = |question: &Vec<f32>| {
            let scored = self.numbers.iter().zip(&self.documents);
            ranked(scored.map(|(number, document)| (*number, dot(question, document))).collect())
        };
        self.questions.iter().map(nearest).collect()
    }

    /// The vectors of the questions.
    pub(super) fn questions(&self) -> &[Vec<f32>] {
        &self.questions
    }
}

async fn made(
    embeddings: &Embeddings,
    purpose: Purpose,
    texts: &[String],
    kept: &Path,
    bar: &ProgressBar,
) -> anyhow::Result<Vec<Vec<f32>>> {
    if let Ok(bytes) = std::fs::read(kept) {
        let vectors: Vec<Vec<f32>> = serde_json::from_slice(&bytes)?;
        ensure!(vectors.len() == texts.len(), "{} has vectors of other texts; delete it", kept.display());
        return Ok(vectors);
    }
    let mut vectors = Vec::with_capacity(texts.len());
    for batch in texts.chunks(BATCH) {
        vectors.extend(embeddings.embed(embeddings.default_model(), purpose, batch).await?);
        bar.set_message(format!("vectors: {} of {}", vectors.len(), texts.len()));
    }
    std::fs::write(kept, serde_json::to_vec(&vectors)?).context("cannot keep vectors")?;
    Ok(vectors)
}

/// The likeness of vectors of length one.
pub(super) fn dot(left: &[f32], right: &[f32]) -> f64 {
    left.iter().zip(right).map(|(left, right)| f64::from(*left) * f64::from(*right)).sum()
}
