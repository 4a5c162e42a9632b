//! `behalf bench ingest --index`: short documents from the upload to their chunks in a knowledge base, undisturbed and with kills.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use futures::stream::{StreamExt as _, TryStreamExt as _, iter};
use indicatif::ProgressBar;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::test_bed::owner_id;
use super::calls::{alone, meanwhile};
use super::chunks::{self, Users};
use super::found::{Counter, INDEXED};
use super::stage::{Stage, Target, USERS};
use super::stages::Stages;
use super::upload::{Files, Uploads, file_name};
use super::{IngestArgs, kills};

/// Users of each part.
const USERS_EACH: u32 = USERS / 2;
/// Sources that are put into the base at the same moment.
const PUTS: usize = 4;
/// How long nothing may be put into the base before the measurement gives up.
const PATIENCE: Duration = Duration::from_mins(5);
const ASK: Duration = Duration::from_millis(50);

const READ_AND_NOT_PUT: &str = "
    select s.id, s.owner_id from ai.sources s
    where s.extraction_status = 'extracted' and not exists (select from ai.indexed_sources i where i.source_id = s.id)
    order by s.created_at limit 200";

pub(super) async fn on(stage: &mut Stage, args: &IngestArgs, bar: &ProgressBar) -> anyhow::Result<Value> {
    let counter = Counter::begin(&stage.owner_url(), bar.clone()).await?;
    let part = Part { base: make_base(&stage.target()).await?, counter: &counter, args };
    let (documents, all) = (usize::try_from(args.documents)?, usize::try_from(args.documents * 2)?);
    // The first document waits until the reader is compiled and the model is loaded.
    part.index(stage.target(), args.documents * 2..args.documents * 2 + 1, 1).await?;
    bar.set_message("calls alone");
    let quiet = alone(stage, Duration::from_secs(args.quiet_seconds.into())).await?;
    bar.set_message("documents, and calls beside them");
    let before = stage.resident_kib()?;
    let (earlier, began) = (Stages::read(&stage.target()).await?, Instant::now());
    let undisturbed = meanwhile(stage, part.index(stage.target(), 0..args.documents, documents + 1)).await?;
    let seconds = began.elapsed().as_secs_f64();
    let stages = Stages::read(&stage.target()).await?.since(earlier);
    bar.set_message("documents while hosts and databases are killed");
    let (target, began) = (stage.target(), Instant::now());
    futures::try_join!(
        part.index(target, args.documents..args.documents * 2, all + 1),
        kills::kill(stage, (&counter, INDEXED), args, documents + 1),
    )?;
    let killed = began.elapsed().as_secs_f64();
    bar.set_message("counting");
    let of = |users: std::ops::Range<u32>| users.map(owner_id).collect();
    let users =
        Users { quiet: of(0..USERS_EACH), killed: of(USERS_EACH..USERS), neither: file_name(args.documents * 2) };
    let (chunks, wrong) = chunks::found(&counter, &users, &stage.files()).await?;
    let (number, all_chunks) = (f64::from(args.documents), f64::from(u32::try_from(chunks)?));
    Ok(json!({
        "documents": args.documents, "chunks": chunks, "seed": args.seed, "uploads_at_once": args.uploads, "postgres": stage.version(),
        "documents_per_second": number / seconds, "chunks_per_second": all_chunks / seconds, "job_time": stages,
        "memory_before_kib": before, "memory_peak_kib": undisturbed.peak_kib,
        "calls_quiet": quiet.calls, "calls_beside": undisturbed.calls,
        "calls_p99_ratio": undisturbed.calls.p99_us / quiet.calls.p99_us,
        "killed": {
            "hosts": args.kills, "postgres": args.postgres_kills, "documents": args.documents, "seconds": killed,
            "chunks_per_second": all_chunks / killed,
        },
        "wrong": wrong,
    }))
}

/// A part of the documents.
struct Part<'a> {
    base: Uuid,
    counter: &'a Counter,
    args: &'a IngestArgs,
}

impl Part<'_> {
    /// Uploads documents, puts each into the base once it is read, and waits until so many are indexed in all.
    async fn index(&self, target: Target, documents: std::ops::Range<u32>, in_all: usize) -> anyhow::Result<()> {
        let files = Files::Texts { seed: self.args.seed, documents: self.args.documents, users: USERS_EACH };
        let at_once = usize::from(self.args.uploads);
        let uploads = Uploads { documents: u32::try_from(documents.len())?, files, at_once };
        // The bar says what is indexed.
        let (no_bar, placed) = (ProgressBar::hidden(), target.clone());
        futures::try_join!(
            uploads.send(target, documents.start, &no_bar),
            self.put_all(&placed, in_all),
            self.counter.wait(INDEXED, in_all),
        )?;
        Ok(())
    }

    /// Puts sources into the base until so many are there. Hosts and server may be away meanwhile.
    async fn put_all(&self, target: &Target, in_all: usize) -> anyhow::Result<()> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).build()?;
        let tokens: HashMap<Uuid, &String> = (0..USERS).map(owner_id).zip(&target.tokens).collect();
        let (mut seen, mut changed) = (0, Instant::now());
        loop {
            if let Ok((there, waiting)) = self.look().await {
                if there >= i64::try_from(in_all)? {
                    return Ok(());
                }
                if there != seen {
                    (seen, changed) = (there, Instant::now());
                }
                let puts = iter(waiting).map(|(source, owner)| {
                    let (http, token) = (&http, tokens.get(&owner).copied());
                    async move { put(http, target, self.base, (source, token.context("nobody's")?)).await }
                });
                puts.buffer_unordered(PUTS).try_collect::<Vec<()>>().await?;
            }
            if changed.elapsed() > PATIENCE {
                bail!("nothing was put into the base for {} seconds; {seen} sources are there", PATIENCE.as_secs());
            }
            tokio::time::sleep(ASK).await;
        }
    }

    /// How many sources are in the base, and some that are read and not there.
    async fn look(&self) -> Result<(i64, Vec<(Uuid, Uuid)>), sqlx::Error> {
        let mut owner = self.counter.connect().await?;
        let there = sqlx::query_scalar("select count(*) from ai.indexed_sources").fetch_one(&mut owner).await?;
        Ok((there, sqlx::query_as(READ_AND_NOT_PUT).fetch_all(&mut owner).await?))
    }
}

/// Asks once; a source that was not put is seen again.
async fn put(
    http: &reqwest::Client,
    target: &Target,
    base: Uuid,
    (source, token): (Uuid, &String),
) -> anyhow::Result<()> {
    let request = http.post(target.url(&format!("/api/knowledge-bases/{base}/sources")));
    let request = request.header("apikey", &target.anon_key).bearer_auth(token);
    if let Ok(answer) = request.json(&json!({ "source_id": source })).send().await
        && answer.status().is_client_error()
    {
        bail!("a source was refused with {}: {}", answer.status(), answer.text().await.unwrap_or_default());
    }
    Ok(())
}

/// A base to which everybody adds. Its chunks share nothing, so that they are the text when they are put together.
async fn make_base(target: &Target) -> anyhow::Result<Uuid> {
    let body = json!({ "name": "all", "contributors": "authenticated", "indexing_config": { "chunk_overlap": 0 } });
    let request = reqwest::Client::new().post(target.url("/api/knowledge-bases")).header("apikey", &target.anon_key);
    let answer = request.bearer_auth(target.tokens.first().context("no user")?).json(&body).send().await?;
    let made: Value = answer.error_for_status()?.json().await?;
    Ok(made["id"].as_str().context("no base was made")?.parse()?)
}
