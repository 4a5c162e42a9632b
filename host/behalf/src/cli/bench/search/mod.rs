//! `behalf bench search`: search under policies, with little of much and much of it, beside a role that bypasses policies and beside
//! a plain search by the index.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "numbers of a measurement, all far below the limits"
)]

mod classes;
mod corpus;
mod exact;
mod load;
mod policy;

use std::sync::Arc;

use behalf_host_db::run_script;
use behalf_identity::{Principal, TokenRequest, mint_token};
use behalf_knowledge::MeasuredSearch;
use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use super::test_bed::{Scene, TestBed};
use classes::Class;
use corpus::{Corpus, Shares, user_id};
use exact::{Answer, Method};
use policy::Kind;

/// The share of whoever sees all, in percent.
const ALL: f64 = 100.0;

/// A day, for tokens that outlast a measurement.
const DAY: i64 = 86_400;

/// `behalf bench search`
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct SearchArgs {
    /// Chunks of each measurement.
    #[arg(long, value_delimiter = ',', default_value = "100000")]
    chunks: Vec<u32>,
    /// Owners who share what those with a fixed share leave, by Zipf's law.
    #[arg(long, default_value_t = 1_000)]
    owners: u32,
    /// Numbers of a vector.
    #[arg(long, default_value_t = 384, value_parser = clap::value_parser!(u16).range(8..=2_000))]
    dims: u16,
    /// What policies decide by.
    #[arg(long, value_delimiter = ',', default_value = "owner,membership,claim")]
    policies: Vec<Kind>,
    /// What callers see of all chunks, in percent.
    #[arg(long, value_delimiter = ',', default_value = "0.01,0.1,1,10,100")]
    owned: Vec<f64>,
    /// How is searched.
    #[arg(long, value_delimiter = ',', default_value = "vector,text,hybrid")]
    methods: Vec<Method>,
    /// Questions of each class.
    #[arg(long, default_value_t = 100)]
    queries: u32,
    /// What chance begins with.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Memory of the database for pages.
    #[arg(long, default_value = "2GB")]
    shared_buffers: String,
    /// Memory for building the index of vectors.
    #[arg(long, default_value = "2GB")]
    maintenance_work_mem: String,
    /// Processes that build it beside the first one.
    #[arg(long, default_value_t = 1)]
    parallel_workers: u32,
}

pub(super) async fn measure(args: &SearchArgs, bar: &ProgressBar) -> anyhow::Result<Value> {
    let mut reports = Vec::new();
    for chunks in &args.chunks {
        bar.set_message("preparing a database");
        let settings = [
            ("shared_buffers", &*args.shared_buffers),
            ("max_wal_size", "1GB"),
            ("wal_level", "minimal"),
            ("max_wal_senders", "0"),
            // Nothing of this database outlasts the measurement.
            ("fsync", "off"),
            ("autovacuum", "off"),
        ];
        let bed = TestBed::prepare(&Scene::demo().with_settings(&settings), 4).await?;
        let report = measure_on(args, *chunks, &bed, bar).await;
        bed.clear().await?;
        reports.push(report?);
    }
    Ok(json!({ "runs": reports }))
}

async fn measure_on(args: &SearchArgs, chunks: u32, bed: &TestBed, bar: &ProgressBar) -> anyhow::Result<Value> {
    bar.set_message("making chunks");
    // The owner of the first share is number 0. Whoever sees all may be anybody.
    let by_share = || args.owned.iter().zip(0_u32..);
    let shares = Shares(by_share().filter(|(share, _)| **share < ALL).map(|(share, owner)| (owner, *share)).collect());
    let corpus = Corpus::new(chunks, usize::from(args.dims), args.owners, &shares, args.seed);
    let questions = corpus.questions(args.queries, args.seed);
    let owner = bed.postgres().owner_url();
    let loaded = load::load(&owner, &corpus, &args.maintenance_work_mem, args.parallel_workers, bar).await?;
    let search = MeasuredSearch::new(bed.state.caller_db.clone(), load::BASE, loaded.model, args.dims);
    let service = bed.state.web.verifier.verify(&bed.service_key).await?;
    let answers_of = |visible: &[u32]| -> Vec<[(Method, Answer); 3]> {
        questions.iter().map(|question| exact::answers(&corpus, visible, question)).collect()
    };
    bar.set_message("finding the right answers");
    bar.suspend(|| eprintln!("finding the right answers"));
    let right_of_all = answers_of(&corpus.of_owner(None));
    let mut conn = PgConnection::connect(&owner).await?;
    let mut classes = Vec::new();
    bar.set_length((args.owned.len() * args.policies.len() * args.methods.len()) as u64);
    bar.set_position(0);
    for (share, owner_number) in by_share() {
        let fixed = (*share < ALL).then_some(owner_number);
        let right = fixed.map(|owner| answers_of(&corpus.of_owner(Some(owner))));
        for kind in &args.policies {
            run_script(&owner, &if fixed.is_some() { kind.create() } else { policy::open() }).await?;
            let caller = caller(bed, fixed.unwrap_or(0)).await?;
            let right = right.as_deref().unwrap_or(&right_of_all);
            let service = Arc::clone(&service);
            let class =
                Class { search: &search, caller, service, questions: &questions, right, right_of_all: &right_of_all };
            for method in &args.methods {
                bar.set_message(format!("{} {share} % {}", kind.name(), method.name()));
                let mut measured = class.measure(*method, &mut conn).await?;
                measured["policy"] = json!(kind.name());
                measured["owned_share"] = json!(share);
                bar.inc(1);
                bar.suspend(|| eprintln!("{measured}"));
                classes.push(measured);
            }
        }
    }
    Ok(json!({
        "chunks": chunks, "dims": args.dims, "owners": args.owners, "queries": args.queries, "seed": args.seed,
        "postgres": bed.version(), "shared_buffers": args.shared_buffers, "index": loaded.index, "classes": classes,
    }))
}

/// A user with the claim of their tenant.
async fn caller(bed: &TestBed, owner: u32) -> anyhow::Result<Arc<Principal>> {
    let mut token = TokenRequest::for_user(&user_id(owner).to_string());
    token.ttl_seconds = DAY;
    token.email = Some(policy::tenant(owner));
    Ok(bed.state.web.verifier.verify(&mint_token(&bed.secret, &token)?).await?)
}
