//! The model in this process: all-MiniLM-L6-v2.
//!
//! Queries have threads of their own, and those for documents come after every other thread of the machine. So a query waits for
//! no document, however many are waiting.

mod batches;
mod files;
mod lane;
mod math;
mod model;
mod tokenizer;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use behalf_problem::LogText as _;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::Semaphore;

use self::lane::{Kind, Lane};
use self::model::Model;
use self::tokenizer::Words;
use crate::{EmbeddingError, EstimatedTokens, Purpose, TokenCounter, WeightsError};

pub(crate) use self::math::normalised;
pub(crate) use self::model::DIMS;

/// Tokens that one text should have at most: the model was trained with shorter ones than it has positions for.
pub(crate) const MAX_TOKENS: usize = 256;

/// Queries that wait, of all callers. Their callers' requests are limited as well.
const WAITING_QUERIES: usize = 1_024;
/// Batches of documents that wait. Whoever has more waits before the line.
const WAITING_BATCHES: usize = 64;
/// How long a failed load is the answer before it is tried again: a load reads and hashes 91 MB.
const RETRY_LOAD: Duration = Duration::from_secs(5);

/// The local model. Its files are read when it is first used.
#[derive(Debug)]
pub(crate) struct Local {
    files: Arc<Files>,
    queries: Lane,
    documents: Lane,
    /// Places of batches of documents in their line.
    places: Semaphore,
}

#[derive(Debug)]
struct Files {
    folder: Option<PathBuf>,
    words: Mutex<Loaded<Words>>,
    model: Mutex<Loaded<Model>>,
}

#[derive(Debug)]
enum Loaded<T> {
    Not,
    Yes(Arc<T>),
    Failed(EmbeddingError, Instant),
}

impl Local {
    pub(crate) fn new(folder: Option<PathBuf>, threads: usize) -> Self {
        let suits = || available_parallelism().map_or(1, |count| (count.get() / 2).max(1));
        let threads = if threads == 0 { suits() } else { threads };
        let lane = |name, most_waiting, yields| Lane::new(Kind { name, threads, most_waiting, yields });
        Self {
            files: Arc::new(Files { folder, words: Mutex::new(Loaded::Not), model: Mutex::new(Loaded::Not) }),
            queries: lane("embed-query", WAITING_QUERIES, false),
            // Twice the places, so that a line with dropped batches in it has room.
            documents: lane("embed-document", 2 * WAITING_BATCHES, true),
            places: Semaphore::new(WAITING_BATCHES),
        }
    }

    /// Whether the files are there. What they hold is not looked at.
    pub(crate) fn has_files(&self) -> Result<(), WeightsError> {
        let folder = self.files.folder.as_deref();
        files::WEIGHTS.is_there(folder).and_then(|()| files::TOKENIZER.is_there(folder))
    }

    /// A vector for each text.
    pub(crate) async fn vectors(&self, purpose: Purpose, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbeddingError> {
        let mut vectors = Vec::with_capacity(texts.len());
        for piece in batches::pieces(texts.len()) {
            let piece = texts.get(piece).unwrap_or_default().to_vec();
            vectors.extend(self.piece(purpose, piece).await?);
        }
        Ok(vectors)
    }

    async fn piece(&self, purpose: Purpose, texts: Vec<String>) -> Result<Vec<Vec<f32>>, EmbeddingError> {
        let count = texts.len();
        let cut = move |files: &Files| {
            let words = files.words()?;
            texts.iter().map(|text| words.numbers(text)).collect::<Result<Vec<_>, _>>().map_err(EmbeddingError::Failed)
        };
        let numbers = Arc::new(self.run(purpose, cut).await?);
        let lengths: Vec<usize> = numbers.iter().map(Vec::len).collect();
        let batches = batches::batches(&lengths).into_iter().map(|batch| {
            let numbers = Arc::clone(&numbers);
            self.run(purpose, move |files| compute(files, &numbers, batch))
        });
        // One more than there are threads, so that none waits for the next batch.
        let at_once = self.documents.kind().threads + 1;
        let done: Vec<_> = stream::iter(batches).buffer_unordered(at_once).try_concat().await?;
        let mut vectors = vec![Vec::new(); count];
        for (n, vector) in done {
            if let Some(place) = vectors.get_mut(n) {
                *place = vector;
            }
        }
        Ok(vectors)
    }

    /// Does work on the threads for its purpose.
    async fn run<T: Send + 'static>(
        &self,
        purpose: Purpose,
        work: impl FnOnce(&Files) -> Result<T, EmbeddingError> + Send + 'static,
    ) -> Result<T, EmbeddingError> {
        let files = Arc::clone(&self.files);
        let work = move || work(&files);
        match purpose {
            Purpose::Query => self.queries.run(work).await?,
            Purpose::Document => {
                // It is never closed.
                let _place = self.places.acquire().await.map_err(|_| EmbeddingError::Busy)?;
                self.documents.run(work).await?
            }
        }
    }

    /// Counts tokens with the model's own words.
    pub(crate) fn tokens(&self) -> Arc<dyn TokenCounter> {
        Arc::new(LocalTokens(Arc::clone(&self.files)))
    }
}

type Numbered = Vec<(usize, Vec<f32>)>;

fn compute(files: &Files, numbers: &[Vec<u32>], batch: Vec<usize>) -> Result<Numbered, EmbeddingError> {
    let model = files.model()?;
    let texts: Vec<&[u32]> = batch.iter().filter_map(|n| numbers.get(*n)).map(Vec::as_slice).collect();
    let vectors = model.vectors(&texts).map_err(EmbeddingError::Failed)?;
    Ok(batch.into_iter().zip(vectors).collect())
}

impl Files {
    fn words(&self) -> Result<Arc<Words>, EmbeddingError> {
        once(&self.words, || {
            let bytes = files::TOKENIZER.read(self.folder.as_deref())?;
            Words::read(&bytes).map_err(EmbeddingError::Failed)
        })
    }

    fn model(&self) -> Result<Arc<Model>, EmbeddingError> {
        once(&self.model, || {
            let bytes = files::WEIGHTS.read(self.folder.as_deref())?;
            let model = Model::read(&bytes).map_err(EmbeddingError::Failed)?;
            tracing::info!("the local embedding model is loaded");
            Ok(model)
        })
    }
}

/// What was loaded, or loads it. Whoever comes meanwhile waits.
fn once<T>(
    slot: &Mutex<Loaded<T>>,
    load: impl FnOnce() -> Result<T, EmbeddingError>,
) -> Result<Arc<T>, EmbeddingError> {
    let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
    match &*slot {
        Loaded::Yes(loaded) => return Ok(Arc::clone(loaded)),
        Loaded::Failed(error, at) if at.elapsed() < RETRY_LOAD => return Err(error.clone()),
        Loaded::Failed(..) | Loaded::Not => {}
    }
    match load() {
        Ok(loaded) => {
            let loaded = Arc::new(loaded);
            *slot = Loaded::Yes(Arc::clone(&loaded));
            Ok(loaded)
        }
        Err(error) => {
            tracing::warn!(error = error.log_text(), "the local embedding model cannot be loaded");
            *slot = Loaded::Failed(error.clone(), Instant::now());
            Err(error)
        }
    }
}

/// The local model's own count, or an estimate while its files are not there.
#[derive(Debug)]
struct LocalTokens(Arc<Files>);

impl TokenCounter for LocalTokens {
    fn count(&self, text: &str) -> usize {
        let counted = self.0.words().and_then(|words| words.count(text).map_err(EmbeddingError::Failed));
        counted.unwrap_or_else(|_| EstimatedTokens.count(text))
    }

    fn is_exact(&self) -> bool {
        self.0.words().is_ok()
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::weights;
