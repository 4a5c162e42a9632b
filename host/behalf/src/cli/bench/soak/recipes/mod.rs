//! What users do: the four recipes of docs/recipes, and now and then something that they may not.

mod chatbot;
mod live;
mod probe;
mod retrieval;
mod uploads;

use std::time::{Duration, Instant};

use anyhow::ensure;
use rand::Rng;
use serde_json::Value;

use super::person::{Person, World};

pub(super) use uploads::first_files;

/// Operations, and how often each is done beside the others.
const OPERATIONS: [(Operation, u32); 14] = [
    (Operation::Read, 3),
    (Operation::Search, 3),
    (Operation::Ask, 2),
    (Operation::Carry, 1),
    (Operation::Save, 1),
    (Operation::Query, 2),
    (Operation::CallTool, 2),
    (Operation::History, 1),
    (Operation::Document, 1),
    (Operation::File, 2),
    (Operation::Run, 3),
    (Operation::Stored, 2),
    (Operation::Broadcast, 1),
    (Operation::Probe, 3),
];

/// One thing that a user does.
#[derive(Clone, Copy, Debug)]
enum Operation {
    Read,
    Search,
    Ask,
    Carry,
    Save,
    Query,
    CallTool,
    History,
    Document,
    File,
    Run,
    Stored,
    Broadcast,
    Probe,
}

impl Operation {
    /// Its recipe, and what it is.
    fn name(self) -> &'static str {
        match self {
            Self::Read => "retrieval.read",
            Self::Search => "retrieval.search",
            Self::Ask => "retrieval.ask",
            Self::Carry => "retrieval.carry",
            Self::Save => "chatbot.save",
            Self::Query => "chatbot.query",
            Self::CallTool => "chatbot.call_tool",
            Self::History => "chatbot.history",
            Self::Document => "uploads.document",
            Self::File => "uploads.file",
            Self::Run => "live.run",
            Self::Stored => "live.stored",
            Self::Broadcast => "live.broadcast",
            Self::Probe => "probe.others",
        }
    }

    fn choose() -> Self {
        let all: u32 = OPERATIONS.iter().map(|(_, weight)| weight).sum();
        let mut left = rand::rng().random_range(0..all);
        for (operation, weight) in OPERATIONS {
            if left < weight {
                return operation;
            }
            left -= weight;
        }
        Self::Read
    }

    async fn run(self, person: &mut Person, world: &World) -> anyhow::Result<()> {
        match self {
            Self::Read => retrieval::read(person, world).await,
            Self::Search => retrieval::search(person, world).await,
            Self::Ask => retrieval::ask(person, world).await,
            Self::Carry => retrieval::carry(person, world).await,
            Self::Save => chatbot::save(person).await,
            Self::Query => chatbot::query(person, world).await,
            Self::CallTool => chatbot::call_tool(person, world).await,
            Self::History => chatbot::history(person).await,
            Self::Document => uploads::document(person, world).await,
            Self::File => uploads::file(person).await,
            Self::Run => live::run(person, world).await,
            Self::Stored => live::stored(person, world).await,
            Self::Broadcast => live::broadcast(person, world).await,
            Self::Probe => probe::others(person, world).await,
        }
    }
}

/// Does one thing after another until the time is over.
pub(super) async fn live(mut person: Person, world: &World, end: Instant, pause: Duration) {
    while Instant::now() < end {
        if person.is_due() {
            let began = Instant::now();
            let refreshed = person.refresh().await;
            count(&person, "session.refresh", began, refreshed);
        }
        let (operation, began) = (Operation::choose(), Instant::now());
        let done = operation.run(&mut person, world).await;
        count(&person, operation.name(), began, done);
        // Users are not in step.
        let pause = pause.mul_f64(rand::rng().random_range(0.5..1.5));
        tokio::time::sleep(pause).await;
    }
}

fn count(person: &Person, operation: &'static str, began: Instant, done: anyhow::Result<()>) {
    match done {
        Ok(()) => person.client.tally.done(operation, began.elapsed()),
        Err(error) => person.client.tally.failed(operation, &error.context(format!("user {}", person.number))),
    }
}

/// What a user asks for has to have their own word in it.
fn has_own(person: &Person, told: &str) -> anyhow::Result<()> {
    ensure!(told.contains(&person.canary), "the user's own is not in it: {told}");
    Ok(())
}

/// The answer of a run that has to have succeeded.
fn content_of(run: &Value) -> anyhow::Result<&str> {
    ensure!(run["status"] == "completed", "the run did not succeed: {run}");
    Ok(run["content"].as_str().unwrap_or_default())
}
