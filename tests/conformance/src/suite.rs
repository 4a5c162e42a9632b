use std::collections::BTreeSet;

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;

use crate::book::Book;
use crate::ground::{Call, Caller, Facts, Ground, GroundError, Seen, Setup};
use crate::project::Project;
use crate::promises::promises;
use crate::report::{Measures, Report};
use crate::reproduce::Reproduce;
use crate::tool::Tool;

/// How to check.
#[derive(Clone, Debug)]
pub struct Options {
    /// What arguments and moments are drawn from.
    pub seed: u64,
    /// Promises to check; all where absent.
    pub only: Option<Vec<String>>,
    /// Calls of each tool with arguments of each kind.
    pub calls: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: 1, only: None, calls: 80 }
    }
}

/// A check under way.
pub(crate) struct Suite<'a, G> {
    pub(crate) ground: &'a G,
    pub(crate) project: &'a Project,
    pub(crate) calls: usize,
    pub(crate) setup: Setup,
    pub(crate) reproduce: Reproduce,
    pub(crate) book: Book,
    pub(crate) rng: StdRng,
    pub(crate) measures: Measures,
    pub(crate) tools: Vec<Tool>,
    /// For each tool, arguments that gave alice a result.
    pub(crate) good: Vec<Vec<Value>>,
    /// Tools that commit on their own: rolling back does not undo what they did.
    pub(crate) committing: BTreeSet<String>,
}

/// Checks every promise. `working` hears what is being done.
pub async fn run<G: Ground>(
    ground: &G,
    project: &Project,
    options: &Options,
    working: &(dyn Fn(&str) + Sync),
) -> Result<Report, GroundError> {
    let mut suite = Suite {
        ground,
        project,
        calls: options.calls.max(10),
        setup: project.setup(),
        reproduce: Reproduce::new(ground.facts(), options.seed),
        book: Book::new(options.only.clone()),
        rng: StdRng::seed_from_u64(options.seed),
        measures: Measures { size_bytes: ground.facts().size, ..Measures::default() },
        tools: Vec::new(),
        good: Vec::new(),
        committing: BTreeSet::new(),
    };
    suite.book.checked("world.exports");
    working("asking for definitions");
    let callable = suite.definitions().await?;
    let otherwise = if callable {
        suite.calls_of_all_kinds(working).await?;
        "no tool of this plugin does what this promise is about"
    } else {
        "the plugin cannot be called, see what is broken"
    };
    suite.measure();
    Ok(suite.report(options.seed, otherwise))
}

/// The report on a file that is no plugin, and why.
pub fn without_export(facts: &Facts, reason: &str, options: &Options) -> Report {
    let mut book = Book::new(options.only.clone());
    book.broken("world.exports", reason, Reproduce::new(facts, options.seed).inspect());
    let verdicts = promises().filter_map(|one| book.verdict(one.id, "the file is no plugin")).collect();
    let measures = Measures { size_bytes: facts.size, ..Measures::default() };
    Report { facts: facts.clone(), seed: options.seed, verdicts, measures }
}

impl<G: Ground> Suite<'_, G> {
    async fn calls_of_all_kinds(&mut self, working: &(dyn Fn(&str) + Sync)) -> Result<(), GroundError> {
        for tool in 0..self.tools.len() {
            working(&format!("calling {} with all kinds of arguments", self.name(tool)));
            self.battery(tool).await?;
        }
        self.unknown_tools().await?;
        working("cutting answers, grants and settings");
        self.fewer_rows().await?;
        self.fewer_grants().await?;
        self.other_settings().await?;
        working("letting statements fail");
        self.failing_statements().await?;
        working("calling again in one instance");
        self.one_instance().await?;
        working("looking for other users' rows");
        self.interference().await?;
        self.kept_writes().await?;
        working("comparing what is written");
        self.writes().await?;
        working("cancelling calls");
        self.cancel().await
    }

    fn report(mut self, seed: u64, otherwise: &str) -> Report {
        let without_bound = "the project sets no bound, so this is only reported";
        let verdicts = promises().filter_map(|one| {
            self.book.verdict(one.id, if one.id.starts_with("measure.") { without_bound } else { otherwise })
        });
        let verdicts = verdicts.collect();
        Report { facts: self.ground.facts().clone(), seed, verdicts, measures: self.measures }
    }

    pub(crate) fn name(&self, tool: usize) -> &str {
        self.tools.get(tool).map_or("", |tool| tool.name.as_str())
    }

    /// A call of one of the tools.
    pub(crate) fn call_of(
        &self,
        tool: usize,
        caller: Caller,
        arguments: &(impl ToString + ?Sized),
        keep: bool,
    ) -> Call {
        Call { caller, tool: self.name(tool).to_owned(), arguments: arguments.to_string(), keep }
    }

    /// Makes a call and counts it. What is not to be kept is undone.
    pub(crate) async fn make(&mut self, call: &Call) -> Result<Seen, GroundError> {
        self.measures.calls += 1;
        let seen = self.ground.call(call).await?;
        if !call.keep && self.committing.contains(&call.tool) {
            self.ground.restore().await?;
        }
        Ok(seen)
    }

    /// Some good arguments of every tool, with the tool's place in the list.
    pub(crate) fn some_good(&self, most: usize) -> Vec<(usize, Value)> {
        let of = |(tool, good): (usize, &Vec<Value>)| {
            good.iter().take(most).map(move |arguments| (tool, arguments.clone())).collect::<Vec<_>>()
        };
        self.good.iter().enumerate().flat_map(of).collect()
    }
}
