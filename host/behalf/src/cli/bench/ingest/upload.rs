//! Uploads, each sent again until the host has it.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use futures::stream::{StreamExt as _, TryStreamExt as _, iter};
use indicatif::ProgressBar;
use reqwest::multipart::{Form, Part};
use serde_json::Value;
use uuid::Uuid;

use super::documents::pdf;
use super::stage::{Target, USERS};
use super::texts::text;

/// How long a document is sent again and again.
const PATIENCE: Duration = Duration::from_mins(10);
/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(30);

/// What is uploaded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Uploads {
    pub(super) documents: u32,
    pub(super) files: Files,
    pub(super) at_once: usize,
}

/// What the documents are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Files {
    /// PDFs of so many pages.
    Pdf { pages: u32 },
    /// So many short texts by chance, of so many users; the next so many documents are the same texts, of as many other users.
    Texts { seed: u64, documents: u32, users: u32 },
}

/// The name of the file of this text.
pub(super) fn file_name(number: u32) -> String {
    format!("{number}.md")
}

/// A file to upload.
struct File {
    name: String,
    bytes: Vec<u8>,
    /// The number of its user.
    user: u32,
}

impl Files {
    fn file(self, document: u32) -> File {
        match self {
            Self::Pdf { pages } => {
                File { name: format!("{document}.pdf"), bytes: pdf(document, pages), user: document % USERS }
            }
            Self::Texts { seed, documents, users } => {
                // Behind both parts: one that is none of theirs.
                let number = if document < documents * 2 { document % documents } else { document };
                let first = if (documents..documents * 2).contains(&document) { users } else { 0 };
                let bytes = text(seed, number).into_bytes();
                File { name: file_name(number), bytes, user: first + number % users }
            }
        }
    }
}

/// A document that the host says it has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) document: u32,
    pub(super) source: Uuid,
}

impl Uploads {
    /// Uploads the documents from this number on.
    pub(super) async fn send(self, target: Target, first: u32, bar: &ProgressBar) -> anyhow::Result<Vec<Sent>> {
        let http = reqwest::Client::builder().timeout(ANSWER).build()?;
        let (http, target) = (&http, &target);
        let sent = iter(first..first + self.documents).map(|document| async move {
            let source = one(http, target, document, self.files).await?;
            bar.inc(1);
            anyhow::Ok(Sent { document, source })
        });
        sent.buffer_unordered(self.at_once).try_collect().await
    }
}

/// The host may have a document whose answer was lost; then it says that the user has it already.
async fn one(http: &reqwest::Client, target: &Target, document: u32, files: Files) -> anyhow::Result<Uuid> {
    let (File { name, bytes, user }, began) = (files.file(document), Instant::now());
    let token = target.tokens.get(usize::try_from(user)?).context("no user")?;
    loop {
        let part = Part::bytes(bytes.clone()).file_name(name.clone());
        let request = http.post(target.url("/api/sources/upload")).header("apikey", &target.anon_key);
        let answer = request.bearer_auth(token).multipart(Form::new().part("file", part)).send().await;
        let said = match answer {
            Ok(answer) => {
                let status = answer.status().as_u16();
                let body: Value = answer.json().await.unwrap_or_default();
                let id = if status == 409 { &body["duplicate"]["id"] } else { &body["id"] };
                match (status, id.as_str()) {
                    (201 | 409, Some(id)) => return Ok(id.parse()?),
                    (400..=499, _) => bail!("document {document} was refused with {status}: {body}"),
                    _ => format!("{status}: {body}"),
                }
            }
            Err(error) => error.to_string(),
        };
        if began.elapsed() > PATIENCE {
            bail!("document {document} was not taken: {said}");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
