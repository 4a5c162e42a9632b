//! Fills the database: rows by `COPY`, then the indexes.

use std::time::{Duration, Instant};

use anyhow::Context;
use behalf_host_db::run_script;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolCopyExt as _};
use sqlx::{Connection as _, PgPool, Row as _};
use uuid::Uuid;

use super::corpus::{CHUNKS_PER_SOURCE, Corpus, chunk_id, source_id};
use super::policy::{Rows, TABLES};

/// The base of all chunks.
pub(super) const BASE: Uuid = Uuid::from_u128(0xc000_0000_0000_4000_8000_0000_0000_0001);

/// Chunks of one message.
const BATCH: u32 = 500;

/// The database's own rules for rows, which these rows keep: foreign keys, and triggers that write what this measurement writes itself.
const WITHOUT_TRIGGERS: (&str, &str) = ("session_replication_role", "replica");

/// How often the building of an index is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The model of the vectors, by its number, and what its index costs.
pub(super) struct Loaded {
    pub(super) model: i16,
    pub(super) index: Value,
}

/// Fills the database of this owner. `memory` and `workers` are what the index of vectors is built with.
pub(super) async fn load(
    owner: &str,
    corpus: &Corpus,
    memory: &str,
    workers: u32,
    bar: &ProgressBar,
) -> anyhow::Result<Loaded> {
    run_script(owner, TABLES).await?;
    // Tables whose changes are not logged take no disk beside their own.
    run_script(owner, "alter table ai.chunk_words set unlogged; alter table ai.chunks set unlogged").await?;
    let pool = PgPool::connect_with(owner.parse::<PgConnectOptions>()?.options([WITHOUT_TRIGGERS])).await?;
    sqlx::query("insert into ai.knowledge_bases (id, name) values ($1, 'measured')").bind(BASE).execute(&pool).await?;
    let dims = i32::try_from(corpus.dims)?;
    let model: i16 =
        sqlx::query_scalar("select behalf.add_embedding_model('measured', $1)").bind(dims).fetch_one(&pool).await?;
    let vectors = format!("chunks_embedding_{model}");
    let definition: String =
        sqlx::query_scalar("select pg_get_indexdef(to_regclass('ai.' || $1))").bind(&vectors).fetch_one(&pool).await?;
    run_script(owner, &format!("drop index ai.{vectors}; drop index ai.chunk_words_words")).await?;
    let mut stage = Stage::begin(bar, "copying sources");
    let rows = Rows::of(corpus, BASE, CHUNKS_PER_SOURCE);
    for (target, text) in [
        ("ai.sources (id, owner_id, name, extraction_status, metadata)", &rows.sources),
        ("ai.indexed_sources (id, knowledge_base_id, source_id, index_status, chunk_count)", &rows.indexed),
        ("public.team_sources (team, source_id)", &rows.teams),
        ("public.team_members (team, user_id)", &rows.members),
    ] {
        let mut copy = pool.copy_in_raw(&format!("copy {target} from stdin")).await?;
        copy.send(text.as_bytes()).await?;
        copy.finish().await?;
    }
    drop(rows);
    stage.next("copying chunks");
    copy_chunks(&pool, corpus, model, bar).await?;
    let copied = stage.next("writing words");
    // Half of them by each of two processes.
    let ([even, odd], index_words) = ([0, 1].map(words_of), words_index(memory));
    let (even, odd) = tokio::join!(run_script(owner, &even), run_script(owner, &odd));
    even.and(odd)?;
    let written = stage.next("indexing words");
    watched(owner, &index_words, bar).await?;
    let words = stage.next("indexing vectors");
    watched(owner, &vectors_index(&definition, memory, workers), bar).await?;
    let built = stage.next("analysing");
    run_script(owner, &plain_search(model, dims)).await?;
    let mut conn = PgConnection::connect(owner).await?;
    sqlx::query("vacuum analyze").execute(&mut conn).await?;
    stage.next("measuring sizes");
    let sizes = sqlx::query(SIZES).bind(&vectors).fetch_one(&mut conn).await?;
    let size = |column: usize| sizes.try_get::<i64, _>(column);
    let index = json!({
        "build_seconds": built, "copy_seconds": copied, "words_seconds": written + words,
        "maintenance_work_mem": memory, "parallel_workers": workers,
        "vectors_bytes": size(0)?, "words_bytes": size(1)?, "chunks_bytes": size(2)?, "chunk_words_bytes": size(3)?,
        "database_bytes": size(4)?,
    });
    bar.suspend(|| eprintln!("{index}"));
    pool.close().await;
    Ok(Loaded { model, index })
}

/// What is being done, since when.
struct Stage<'a> {
    bar: &'a ProgressBar,
    name: &'static str,
    begin: Instant,
}

impl<'a> Stage<'a> {
    fn begin(bar: &'a ProgressBar, name: &'static str) -> Self {
        bar.set_message(name);
        Self { bar, name, begin: Instant::now() }
    }

    /// Tells how many seconds this stage took, and begins another one.
    fn next(&mut self, name: &'static str) -> f64 {
        let seconds = self.begin.elapsed().as_secs_f64();
        self.bar.suspend(|| eprintln!("{}: {seconds:.1} s", self.name));
        *self = Self::begin(self.bar, name);
        seconds
    }
}

/// The plain search by the index, which the caller's policies filter afterwards.
fn plain_search(model: i16, dims: i32) -> String {
    format!(
        "create function public.plain_search(question text) returns setof uuid language sql stable as $$
             select id from ai.chunks where embedding_model = {model}
             order by embedding::halfvec({dims}) <=> question::vector::halfvec({dims}) limit 10
         $$;
         grant execute on function public.plain_search(text) to authenticated;"
    )
}

/// What the trigger would have written, for every second chunk.
fn words_of(half: u8) -> String {
    format!(
        "set session_replication_role = replica;
         insert into ai.chunk_words (chunk_id, source_id, knowledge_base_id, length, words)
             select c.id, c.source_id, c.knowledge_base_id, array_length(string_to_array(c.text, ' '), 1), to_tsvector('english', c.text)
             from ai.chunks c where c.chunk_index % 2 = {half}"
    )
}

fn words_index(memory: &str) -> String {
    format!("set maintenance_work_mem = '{memory}'; create index chunk_words_words on ai.chunk_words using gin (words)")
}

const SIZES: &str = "select pg_relation_size(to_regclass('ai.' || $1)), pg_relation_size('ai.chunk_words_words'),
    pg_table_size('ai.chunks'), pg_table_size('ai.chunk_words'), pg_database_size(current_database())";

fn vectors_index(definition: &str, memory: &str, workers: u32) -> String {
    format!(
        "set maintenance_work_mem = '{memory}'; set max_parallel_maintenance_workers = {workers};
         alter table ai.chunks set (parallel_workers = {workers}); {definition}; alter table ai.chunks reset (parallel_workers)"
    )
}

/// Runs a script that builds an index, and shows how far it is.
async fn watched(owner: &str, script: &str, bar: &ProgressBar) -> anyhow::Result<()> {
    let mut conn = PgConnection::connect(owner).await?;
    let script = run_script(owner, script);
    tokio::pin!(script);
    let mut looks = 0_u32;
    loop {
        tokio::select! {
            done = &mut script => {
                done?;
                return Ok(());
            }
            () = tokio::time::sleep(LOOK_EVERY) => {
                let far: Option<String> = sqlx::query_scalar(PROGRESS).fetch_optional(&mut conn).await?;
                let far = far.unwrap_or_default();
                bar.set_message(far.clone());
                looks += 1;
                // Now and then for a log as well.
                if looks.is_multiple_of(6) {
                    bar.suspend(|| eprintln!("{far}"));
                }
            }
        }
    }
}

const PROGRESS: &str = "select format('%s: %s of %s rows', phase, tuples_done, (select reltuples::bigint from pg_class c where c.oid = relid))
    from pg_stat_progress_create_index limit 1";

/// Copies the chunks in Postgres's binary format, because texts of vectors take three times the bytes.
async fn copy_chunks(pool: &PgPool, corpus: &Corpus, model: i16, bar: &ProgressBar) -> anyhow::Result<()> {
    bar.set_message("copying chunks");
    bar.set_length(u64::from(corpus.chunks()));
    bar.set_position(0);
    let mut copy = pool
        .copy_in_raw(
            "copy ai.chunks (id, indexed_source_id, knowledge_base_id, source_id, text, chunk_index, embedding_model, embedding)
             from stdin (format binary)",
        )
        .await?;
    copy.send(&b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0"[..]).await?;
    let mut from = 0;
    while from < corpus.chunks() {
        let to = (from + BATCH).min(corpus.chunks());
        let mut bytes = Vec::with_capacity(BATCH as usize * (corpus.dims * 4 + 800));
        for chunk in from..to {
            row(&mut bytes, corpus, chunk, model).context("a chunk has too many numbers or words")?;
        }
        copy.send(bytes).await?;
        from = to;
        bar.set_position(u64::from(from));
    }
    copy.send(&(-1_i16).to_be_bytes()[..]).await?;
    copy.finish().await?;
    Ok(())
}

fn row(to: &mut Vec<u8>, corpus: &Corpus, chunk: u32, model: i16) -> Option<()> {
    let source = source_id(chunk / CHUNKS_PER_SOURCE);
    let text: Vec<String> = corpus.words(chunk).iter().map(|word| format!("w{word}")).collect();
    to.extend(8_i16.to_be_bytes());
    let index = i32::try_from(chunk % CHUNKS_PER_SOURCE).ok()?;
    let dims = i16::try_from(corpus.dims).ok()?;
    let mut vector = Vec::with_capacity(corpus.dims * 4 + 4);
    vector.extend(dims.to_be_bytes());
    vector.extend(0_i16.to_be_bytes());
    corpus.vector(chunk).iter().for_each(|number| vector.extend(number.to_be_bytes()));
    for field in [
        chunk_id(chunk).as_bytes().as_slice(),
        source.as_bytes(),
        BASE.as_bytes(),
        source.as_bytes(),
        text.join(" ").as_bytes(),
        &index.to_be_bytes(),
        &model.to_be_bytes(),
        &vector,
    ] {
        to.extend(i32::try_from(field.len()).ok()?.to_be_bytes());
        to.extend(field);
    }
    Some(())
}
