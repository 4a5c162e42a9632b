//! Recipe 3: files to ask about, and files to show.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::has_own;
use crate::cli::bench::soak::client::Request;
use crate::cli::bench::soak::person::{Person, World};

const DOCUMENT: &str = "uploads.document";
const FILE: &str = "uploads.file";
/// How long a document may wait, be read and be indexed: a host that was killed keeps its job until the lease ends.
const PATIENCE: Duration = Duration::from_mins(5);

/// Every user has a document and a file from the beginning.
pub(in crate::cli::bench::soak) async fn first_files(person: &Person, world: &World) -> anyhow::Result<()> {
    let source = index(person, world, "the first").await?;
    let file = format!("{}/kept.txt", person.id);
    keep(person, &file).await?;
    world.tell(person.number, |known| (known.source, known.file) = (source, file));
    Ok(())
}

/// Uploads a file with the user's word.
async fn keep(person: &Person, name: &str) -> anyhow::Result<()> {
    let (path, token) = (format!("/storage/v1/object/attachments/{name}"), person.token());
    let bytes = format!("berth {}", person.canary).into_bytes();
    let upload = Request::new(FILE, Method::POST, path, &token).bytes("text/plain", bytes);
    person.client.send(upload.header("x-upsert", "true")).await?;
    Ok(())
}

/// Uploads a document, has it read and indexed, finds it, and deletes it.
pub(super) async fn document(person: &Person, world: &World) -> anyhow::Result<()> {
    let source = index(person, world, &Uuid::new_v4().to_string()).await?;
    let token = person.token();
    let search = format!("/api/knowledge-bases/{}/search", world.knowledge_base);
    let body = json!({ "query": "anchor of the boat", "source_ids": [source] });
    let found = person.client.send(Request::post(DOCUMENT, search, &token, body)).await?;
    has_own(person, &found.text)?;
    let path = format!("/api/sources/{source}");
    person.client.send(Request::new(DOCUMENT, Method::DELETE, path, &token).accepting(&[404])).await?;
    Ok(())
}

/// Uploads a document and waits until it can be found. Returns the id of the source.
async fn index(person: &Person, world: &World, about: &str) -> anyhow::Result<String> {
    let token = person.token();
    let text = format!("# Boat\n\nThe anchor of the boat is red, says {about}. The berth is {}.\n", person.canary);
    let upload = Request::new(DOCUMENT, Method::POST, "/api/sources/upload", &token);
    // An answer that was lost makes the second one say that the user has the document.
    let upload = upload.file("boat.md".to_owned(), text.into_bytes()).accepting(&[409]);
    let answer = person.client.send(upload).await?;
    let said = answer.json()?;
    let id = if answer.status == 409 { &said["duplicate"]["id"] } else { &said["id"] };
    let source = id.as_str().with_context(|| format!("no source: {said}"))?.to_owned();
    settled(person, &format!("/api/sources/{source}"), "extraction_status", "extracted").await?;
    let places = format!("/api/knowledge-bases/{}/sources", world.knowledge_base);
    let add = Request::post(DOCUMENT, places.clone(), &token, json!({ "source_id": source }));
    let place = person.client.send(add).await?.text_of("id")?;
    settled(person, &format!("{places}/{place}"), "index_status", "indexed").await?;
    Ok(source)
}

/// Asks again until nothing more happens by itself.
async fn settled(person: &Person, path: &str, field: &str, good: &str) -> anyhow::Result<()> {
    let (token, until) = (person.token(), Instant::now() + PATIENCE);
    loop {
        let row: Value = person.client.send(Request::get(DOCUMENT, path, &token)).await?.json()?;
        match row[field].as_str() {
            Some(status) if status == good => return Ok(()),
            Some("pending" | "extracting" | "indexing") => {}
            _ => bail!("{path}: {row}"),
        }
        ensure!(Instant::now() < until, "{path} does not end: {row}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Keeps a file in the user's folder, reads it in every way, lists the folder, and removes the file again.
pub(super) async fn file(person: &Person) -> anyhow::Result<()> {
    let token = person.token();
    let name = format!("{}/{}.txt", person.id, Uuid::new_v4());
    keep(person, &name).await?;
    let read = Request::get(FILE, format!("/storage/v1/object/authenticated/attachments/{name}"), &token);
    let read = person.client.send(read).await?;
    has_own(person, &read.text)?;
    let list = json!({ "prefix": person.id, "limit": 100, "offset": 0 });
    let listed = person.client.send(Request::post(FILE, "/storage/v1/object/list/attachments", &token, list)).await?;
    let file = name.rsplit('/').next().unwrap_or_default();
    ensure!(listed.text.contains(file), "the file is not listed: {}", listed.text);
    let sign =
        Request::post(FILE, format!("/storage/v1/object/sign/attachments/{name}"), &token, json!({ "expiresIn": 60 }));
    let signed = person.client.send(sign).await?.text_of("signedURL")?;
    let shown = person.client.send(Request::get(FILE, format!("/storage/v1{signed}"), &token)).await?;
    has_own(person, &shown.text)?;
    let remove = Request::new(FILE, Method::DELETE, "/storage/v1/object/attachments", &token);
    person.client.send(remove.json(json!({ "prefixes": [name] }))).await?;
    Ok(())
}
