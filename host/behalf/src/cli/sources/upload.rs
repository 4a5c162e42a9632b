//! One file: uploaded, and waited for.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use behalf_toolchain::printable;
use bytes::BytesMut;
use futures::stream::try_unfold;
use reqwest::multipart::{Form, Part};
use reqwest::{Body, Method, StatusCode};
use serde_json::Value;
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;

use super::bars::Bar;
use super::base::KnowledgeBase;
use super::host::{Host, RequestError};

/// Bytes that are read at once.
const PIECE: usize = 64 * 1024;
/// How often a source is asked for at first, and at last. A user has a limit of requests in a minute.
pub(super) const FIRST_WAIT: Duration = Duration::from_millis(200);
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// How long a host may be away, such as while it is restarted.
pub(super) const PATIENCE: Duration = Duration::from_mins(2);

/// The status of a source whose text is there.
const EXTRACTED: &str = "extracted";

/// How a file ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was read.
    Read { id: String, pages: Option<u64> },
    /// It was read, or there already, and indexed.
    Indexed { id: String, chunks: u64 },
    /// The user had it already.
    There { id: String, name: String, status: String },
    /// It could not be uploaded or read, with the reason.
    Failed(String),
}

/// Uploads a file and waits until it is read, and indexed in this base if there is one.
pub(super) async fn add(host: &Host, base: Option<&KnowledgeBase>, path: &Path, bar: &Arc<Bar>) -> Outcome {
    let added = async {
        let outcome = try_add(host, path, bar).await?;
        match (base, outcome) {
            (Some(base), Outcome::Read { id, .. }) => index(host, base, id, bar).await,
            (Some(base), Outcome::There { id, status, .. }) if status == EXTRACTED => index(host, base, id, bar).await,
            (_, outcome) => Ok(outcome),
        }
    };
    match added.await {
        Ok(outcome) => outcome,
        Err(error) => Outcome::Failed(format!("{error:#}")),
    }
}

async fn index(host: &Host, base: &KnowledgeBase, id: String, bar: &Bar) -> anyhow::Result<Outcome> {
    let chunks = base.index(host, &id, bar).await?;
    Ok(Outcome::Indexed { id, chunks })
}

async fn try_add(host: &Host, path: &Path, bar: &Arc<Bar>) -> anyhow::Result<Outcome> {
    let began = Instant::now();
    let uploaded = loop {
        match upload(host, path, bar).await? {
            Ok(uploaded) => break uploaded,
            Err(RequestError::Refused { status: StatusCode::CONFLICT, body, .. }) if body["duplicate"].is_object() => {
                let text = |name: &str| shown(&body["duplicate"][name]);
                return Ok(Outcome::There { id: text("id"), name: text("name"), status: text("extraction_status") });
            }
            Err(error) => match error.later().filter(|_| began.elapsed() < PATIENCE) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(error.into()),
            },
        }
    };
    let id = uploaded["id"].as_str().context("the host gave the source no id; is it a host of Behalf?")?;
    wait(host, id, bar).await
}

/// Sends the file once.
async fn upload(host: &Host, path: &Path, bar: &Arc<Bar>) -> anyhow::Result<Result<Value, RequestError>> {
    let cannot = "the file cannot be read; check its rights";
    let file = File::open(path).await.context(cannot)?;
    let size = file.metadata().await.context(cannot)?.len();
    let counted = Arc::clone(bar);
    let pieces = try_unfold((file, 0), move |(mut file, sent)| {
        let bar = Arc::clone(&counted);
        async move {
            let mut piece = BytesMut::with_capacity(PIECE);
            if file.read_buf(&mut piece).await? == 0 {
                return Ok::<_, std::io::Error>(None);
            }
            let sent = sent + piece.len() as u64;
            bar.sent(sent, size);
            Ok(Some((piece.freeze(), (file, sent))))
        }
    });
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let part = Part::stream_with_length(Body::wrap_stream(pieces), size).file_name(name);
    let form = Form::new().part("file", part);
    Ok(host.send(host.request(Method::POST, "/api/sources/upload", &[])?.multipart(form)).await)
}

/// Waits until a source is read.
async fn wait(host: &Host, id: &str, bar: &Bar) -> anyhow::Result<Outcome> {
    let (mut pause, mut answered) = (FIRST_WAIT, Instant::now());
    loop {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_WAIT);
        let source = match host.send(host.request(Method::GET, &format!("/api/sources/{id}"), &[])?).await {
            Ok(source) => source,
            Err(error) if error.later().is_some() && answered.elapsed() < PATIENCE => continue,
            Err(error) => return Err(error).context("it was uploaded, and the host cannot say how far it is"),
        };
        answered = Instant::now();
        let pages = source["pages"].as_u64();
        match source["extraction_status"].as_str() {
            Some("pending") => bar.waits(),
            Some("extracting") => bar.read(source["pages_done"].as_u64().unwrap_or(0), pages),
            Some("extracted") => return Ok(Outcome::Read { id: id.to_owned(), pages }),
            Some(_) => return Ok(Outcome::Failed(why(&source))),
            None => anyhow::bail!("the host gave the source no status; is it a host of Behalf?"),
        }
    }
}

/// Why a source has no text.
fn why(source: &Value) -> String {
    let status = shown(&source["extraction_status"]).replace('_', " ");
    match source["error_message"].as_str() {
        Some(message) => format!("{status}: {}", line(message)),
        None => status,
    }
}

fn shown(value: &Value) -> String {
    line(value.as_str().unwrap_or("?"))
}

/// A stranger's text as one line that steers no terminal.
pub(super) fn line(text: &str) -> String {
    printable(text).replace('\n', " ")
}
