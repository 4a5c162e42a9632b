//! `behalf bench quality`: how well search finds on the Cranfield collection, through the host's own indexing and search, and whether
//! it finds the same where the collection is dealt out to many owners.

mod base;
mod bm25;
mod collection;
mod dealt;
mod score;
mod vectors;

use std::path::PathBuf;

use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::test_bed::{Scene, TestBed};
use base::{Base, Found, METHODS};
use bm25::Bm25;
use collection::Collection;
use vectors::Vectors;

/// `behalf bench quality`
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct QualityArgs {
    /// The folder with `cran.all.1400`, `cran.qry` and `cranqrel`.
    #[arg(long)]
    collection: PathBuf,
    /// The folder in which chunks and vectors are kept, so that the next run need not make them.
    #[arg(long, default_value = ".behalf/quality")]
    kept: PathBuf,
    /// Owners to whom the documents are dealt out.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(2..=1_000))]
    owners: u32,
    /// Of these owners, how many ask each question.
    #[arg(long, default_value_t = 3)]
    askers: u32,
}

pub(super) async fn measure(args: &QualityArgs, bar: &ProgressBar) -> anyhow::Result<Value> {
    let collection = Collection::read(&args.collection)?;
    std::fs::create_dir_all(&args.kept)?;
    bar.set_message("preparing a database");
    let bed = TestBed::prepare(&Scene::demo(), 4).await?;
    let report = on(args, &collection, &bed, bar).await;
    bed.clear().await?;
    report
}

async fn on(args: &QualityArgs, collection: &Collection, bed: &TestBed, bar: &ProgressBar) -> anyhow::Result<Value> {
    let base = Base::index(bed, collection, &args.kept, bar).await?;
    bar.set_message("making vectors of whole documents");
    let vectors = Vectors::make(collection, &args.kept, bar).await?;
    let mut report = json!({
        "postgres": bed.version(), "documents": collection.documents.len(), "questions": collection.questions.len(),
        "chunks": base.chunks, "indexing": base.indexing, "measure": "nDCG@10, every judged document of the same use",
    });
    report["plain_bm25"] = rounded(plain_bm25(collection));
    report["exact_vectors_of_whole_documents"] = rounded(score::mean(&vectors.search_all(), &collection.answers));
    for method in METHODS {
        bar.set_message(format!("searching: {method}"));
        let found = base.search_all(bed, collection, method).await?;
        let rankings: Vec<Vec<u32>> = found.iter().map(Found::documents).collect();
        report["one_owner"][method] = rounded(score::mean(&rankings, &collection.answers));
    }
    bar.set_message("dealing out to many owners");
    report["dealt_out"] = dealt::measure(args, collection, (bed, &base), bar).await?;
    Ok(report)
}

fn plain_bm25(collection: &Collection) -> f64 {
    let texts = collection.documents.iter().map(|document| (document.number, document.text.as_str()));
    let index = Bm25::new(texts);
    let rankings: Vec<Vec<u32>> = collection.questions.iter().map(|question| index.search(question)).collect();
    score::mean(&rankings, &collection.answers)
}

/// Four digits; more would be chance.
fn rounded(number: f64) -> Value {
    json!((number * 10_000.0).round() / 10_000.0)
}
