//! `/api/sources`: its options, and its parts put together.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use behalf_blobs::Blobs;
use behalf_bundled::EXTRACTOR;
use behalf_caller_db::CallerDb;
use behalf_config::{ConfigError, Face, Secret, Settings};
use behalf_host_db::HostDb;
use behalf_jobs::Jobs;
use behalf_queue::{LaneOptions, Workers};
use behalf_sandbox::{Compiler, DocumentLimits, DocumentOptions, DocumentReader, ObjectStore, Sandbox};
use behalf_sources::{
    DOCUMENTS_LANE, ExtractHandler, ExtractOptions, FetchHandler, IMPORTS_LANE, OcrOptions, Sources, SourcesOptions,
    SourcesParts,
};
use behalf_storage::{Storage, ToolObjects};
use behalf_web::{Routes, Web};
use http::HeaderValue;

use super::options::{issuer, max_wait};
use super::storage::signing_key;
use super::{Front, StartError};

/// Keeps the key of signed addresses apart from everything else that the project's secrets sign.
const PURPOSE: &[u8] = b"behalf: signed addresses of sources, version 1";

/// The folder for files without a name while they are read, in the state folder.
const FOLDER: &str = "documents";

/// Documents that are fetched at the same time on one host, and of one owner: they wait for other servers.
const IMPORTS: usize = 8;
const IMPORTS_PER_OWNER: u32 = 2;

/// A host with so many processors reads one document at a time, and a larger one as many as half of its processors.
const FEW_PROCESSORS: usize = 2;

/// What `/api/sources` is made of, read before anything is connected.
pub(crate) struct SourcesPlan {
    max_bytes: u64,
    max_waiting: i64,
    workers: usize,
    per_owner: u32,
    limits: DocumentLimits,
    ocr: Option<OcrOptions>,
}

impl SourcesPlan {
    /// Reads the settings; nothing where sources are served elsewhere, or not at all.
    pub(super) fn read(settings: &Settings) -> Result<Option<Self>, ConfigError> {
        let sources = &settings.sources;
        if sources.face != Face::On {
            return Ok(None);
        }
        if sources.sources_max_bytes == 0 || sources.sources_max_pages == 0 || sources.sources_memory_mib == 0 {
            return Err(value("sources_max_bytes, sources_max_pages and sources_memory_mib must be at least 1"));
        }
        let workers = match usize::try_from(sources.sources_workers).unwrap_or(usize::MAX) {
            0 => places(),
            workers => workers,
        };
        Ok(Some(Self {
            max_bytes: sources.sources_max_bytes,
            max_waiting: sources.sources_max_waiting.into(),
            workers,
            per_owner: sources.sources_per_owner.max(1),
            limits: DocumentLimits {
                pages: sources.sources_max_pages,
                memory_bytes: sources.sources_memory_mib.saturating_mul(1024 * 1024),
                ..DocumentLimits::default()
            },
            ocr: ocr(settings)?,
        }))
    }

    /// How many jobs of each lane are done at once.
    fn lanes(&self) -> Vec<LaneOptions> {
        let imports = LaneOptions { name: IMPORTS_LANE, places: IMPORTS, per_owner: IMPORTS_PER_OWNER };
        vec![LaneOptions { name: DOCUMENTS_LANE, places: self.workers, per_owner: self.per_owner }, imports]
    }
}

/// Puts the feature together, where it is served here, and lets `workers` do its jobs.
pub(super) fn start(
    plan: Option<(SourcesPlan, Blobs)>,
    (web, host_db, caller_db, sandbox, storage): (&Web, &HostDb, &CallerDb, &Arc<Sandbox>, Option<&Storage>),
    (settings, front, compiler): (&Settings, &Front, Option<PathBuf>),
    workers: &mut Workers,
    jobs: &Jobs,
) -> Result<Option<Sources>, StartError> {
    let Some((plan, blobs)) = plan else { return Ok(None) };
    plan.lanes().into_iter().for_each(|lane| workers.lane(lane));
    let compiler = compiler.map_or(Compiler::Here, Compiler::Process);
    let reader = DocumentOptions { component: EXTRACTOR, places: plan.workers, limits: plan.limits, compiler };
    let reader = DocumentReader::new(&settings.state_dir.join("compiled"), reader)?;
    let objects = storage.map(|storage| Arc::new(ToolObjects::new(storage.clone())) as Arc<dyn ObjectStore>);
    let parts = SourcesParts {
        web: web.clone(),
        db: host_db.clone(),
        caller_db: caller_db.clone(),
        blobs: blobs.clone(),
        queue: workers.queue().clone(),
        objects,
        sandbox: Arc::clone(sandbox),
    };
    let options = SourcesOptions {
        max_bytes: plan.max_bytes,
        max_waiting: plan.max_waiting,
        uploads: Some(settings.sources.sources_uploads).filter(|most| *most > 0),
        max_wait: max_wait(settings),
        signing_key: signing_key(settings, PURPOSE),
        public_url: issuer(settings, front.address()),
    };
    let sources = Sources::start(parts, options, jobs);
    let extract = ExtractOptions { folder: settings.state_dir.join(FOLDER), max_bytes: plan.max_bytes, ocr: plan.ocr };
    workers.handle(FetchHandler::new(sources.clone()));
    workers.handle(ExtractHandler::new(Arc::new(reader), blobs, Arc::clone(sandbox), extract));
    Ok(Some(sources))
}

/// The routes of sources, or what they answer where they are not served here.
pub(super) fn routes(sources: Option<Sources>, settings: &Settings) -> Routes {
    match sources {
        Some(sources) => behalf_sources::routes(sources),
        None => behalf_sources::elsewhere(settings.sources.face.address()),
    }
}

/// How many documents suit the processors of this machine.
fn places() -> usize {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    if processors <= FEW_PROCESSORS { 1 } else { processors / 2 }
}

fn ocr(settings: &Settings) -> Result<Option<OcrOptions>, ConfigError> {
    let sources = &settings.sources;
    let Some(url) = &sources.sources_ocr_url else { return Ok(None) };
    let url = url.parse().map_err(|_| value("sources_ocr_url must be an address: http(s)://host[:port]/path"))?;
    behalf_sandbox::origin(&url)
        .map_err(|_| value("sources_ocr_url must be http or https, with a host and no user"))?;
    let authorization = sources.sources_ocr_authorization.as_ref().map(Secret::expose);
    let authorization = authorization.map(HeaderValue::from_str).transpose();
    let authorization = authorization.map_err(|_| value("sources_ocr_authorization cannot be sent in a header"))?;
    let timeout = Duration::from_secs(sources.sources_ocr_seconds.max(1));
    Ok(Some(OcrOptions { url, authorization, timeout }))
}

fn value(text: &str) -> ConfigError {
    ConfigError::Value(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&'static str, &str)]) -> Result<Option<SourcesPlan>, ConfigError> {
        let pairs = pairs.iter().map(|(name, text)| (*name, (*text).to_owned()));
        SourcesPlan::read(&Settings::from_pairs(pairs)?)
    }

    #[test]
    fn a_host_reads_as_many_documents_as_suit_it() {
        let plan = read(&[]).expect("a plan").expect("it is served");
        assert!(plan.workers >= 1 && plan.ocr.is_none());
        let plan =
            read(&[("sources_workers", "3"), ("sources_per_owner", "0")]).expect("a plan").expect("it is served");
        let lanes: Vec<_> = plan.lanes().iter().map(|lane| (lane.name, lane.places, lane.per_owner)).collect();
        assert_eq!(lanes, [("documents", 3, 1), ("imports", IMPORTS, IMPORTS_PER_OWNER)]);
        assert!(read(&[("sources", "off")]).expect("a plan").is_none());
        assert!(read(&[("sources", "https://a.example/api/sources")]).expect("a plan").is_none());
    }

    #[test]
    fn a_wrong_option_is_said_before_anything_is_connected() {
        let ocr = ("sources_ocr_url", "https://ocr.example/read");
        assert!(read(&[ocr, ("sources_ocr_authorization", "Bearer x")]).expect("a plan").is_some());
        for pairs in [
            vec![("sources_max_bytes", "0")],
            vec![("sources_max_pages", "0")],
            vec![("sources_memory_mib", "0")],
            vec![("sources_ocr_url", "ocr.example")],
            vec![("sources_ocr_url", "https://user:pass@ocr.example/")],
            vec![ocr, ("sources_ocr_authorization", "a\nb")],
        ] {
            assert!(read(&pairs).is_err(), "{pairs:?}");
        }
    }
}
