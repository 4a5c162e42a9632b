//! A check from its first call to its report.

use std::collections::BTreeSet;

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;

use crate::arguments::KnownValues;
use crate::call::{Call, CallRecord};
use crate::caller::Caller;
use crate::component::Facts;
use crate::findings::Findings;
use crate::marks::Marks;
use crate::project::Project;
use crate::promises::promises;
use crate::report::{Measures, Report};
use crate::reproduce::Reproduce;
use crate::test_bed::{Setup, TestBed, TestBedError};
use crate::tool::Tool;

/// Options of a check.
#[derive(Clone, Debug)]
pub struct Options {
    /// The seed of random arguments and of the moments at which calls are cancelled.
    pub seed: u64,
    /// Promises to check; all where absent.
    pub only: Option<Vec<String>>,
    /// The number of calls of each tool with each kind of arguments.
    pub calls: usize,
    /// Whether the calls that the project lists are made once with HTTP requests that are sent, and the answers recorded.
    pub record_http: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: 1, only: None, calls: 80, record_http: false }
    }
}

/// A check that is running.
pub(crate) struct Suite<'a, G> {
    pub(crate) test_bed: &'a G,
    pub(crate) project: &'a Project,
    pub(crate) calls: usize,
    pub(crate) setup: Setup,
    pub(crate) reproduce: Reproduce,
    pub(crate) findings: Findings,
    pub(crate) rng: StdRng,
    pub(crate) measures: Measures,
    pub(crate) tools: Vec<Tool>,
    /// For each tool, arguments with which alice got a valid result.
    pub(crate) good: Vec<Vec<Value>>,
    /// What tells whose a text is.
    pub(crate) marks: Marks,
    /// Values of alice's rows.
    pub(crate) known: KnownValues,
    /// Tools that commit on their own, so that a rollback does not undo their writes.
    pub(crate) committing: BTreeSet<String>,
}

/// Checks every promise. `progress` is called with each step of the check.
pub async fn run<G: TestBed>(
    test_bed: &G,
    project: &Project,
    options: &Options,
    progress: &(dyn Fn(&str) + Sync),
) -> Result<Report, TestBedError> {
    let mut suite = Suite {
        test_bed,
        project,
        calls: options.calls.max(10),
        setup: project.setup(),
        reproduce: Reproduce::new(test_bed.facts(), options.seed),
        findings: Findings::new(options.only.clone()),
        rng: StdRng::seed_from_u64(options.seed),
        measures: Measures { size_bytes: test_bed.facts().size, ..Measures::default() },
        tools: Vec::new(),
        good: Vec::new(),
        marks: Marks::default(),
        known: KnownValues::default(),
        committing: BTreeSet::new(),
    };
    suite.findings.checked("world.exports");
    progress("asking for definitions");
    let callable = suite.definitions().await?;
    let otherwise = if callable {
        if options.record_http {
            progress("recording answers to HTTP requests");
            suite.record_http().await?;
        }
        suite.calls_of_all_kinds(progress).await?;
        suite.why_not_applicable()
    } else {
        "the plugin cannot be called, see what is broken".to_owned()
    };
    suite.measure();
    Ok(suite.report(options.seed, &otherwise))
}

/// The report on a file that is no plugin, for this reason.
pub fn without_export(facts: &Facts, reason: &str, options: &Options) -> Report {
    let mut findings = Findings::new(options.only.clone());
    findings.broken("world.exports", reason, Reproduce::new(facts, options.seed).inspect());
    let verdicts = promises().filter_map(|one| findings.verdict(one.id, "the file is no plugin")).collect();
    let measures = Measures { size_bytes: facts.size, ..Measures::default() };
    Report { facts: facts.clone(), seed: options.seed, verdicts, measures }
}

impl<G: TestBed> Suite<'_, G> {
    async fn calls_of_all_kinds(&mut self, progress: &(dyn Fn(&str) + Sync)) -> Result<(), TestBedError> {
        for tool in 0..self.tools.len() {
            progress(&format!("calling {} with all kinds of arguments", self.name(tool)));
            self.argument_cases(tool).await?;
        }
        self.unknown_tools().await?;
        progress("cutting answers, grants and settings");
        self.fewer_rows().await?;
        self.fewer_grants().await?;
        self.other_settings().await?;
        progress("looking for arguments in SQL");
        self.arguments_in_sql().await?;
        progress("letting statements fail");
        self.failing_statements().await?;
        self.failing_objects().await?;
        self.failing_texts().await?;
        self.failing_stores().await?;
        progress("calling again in one instance");
        self.one_instance().await?;
        progress("looking for other users' rows");
        self.interference().await?;
        self.kept_writes().await?;
        progress("comparing what is written");
        self.writes().await?;
        progress("cancelling calls");
        self.cancel().await
    }

    /// Why a promise that was never checked was not.
    fn why_not_applicable(&self) -> String {
        let without = self.tools.iter().zip(&self.good).filter(|(_, good)| good.is_empty());
        let names: Vec<_> = without.map(|(tool, _)| tool.name.as_str()).collect();
        if names.is_empty() {
            return "no tool of this plugin does what this promise is about".to_owned();
        }
        format!("no call of {} returned a valid result, and this promise is checked with such calls", names.join(", "))
    }

    /// Makes the calls that the project lists as alice, with HTTP requests that are sent. Their answers are recorded.
    async fn record_http(&mut self) -> Result<(), TestBedError> {
        self.test_bed.record_http(true).await?;
        for promised in &self.project.calls {
            let arguments = promised.arguments.to_string();
            let call = Call { caller: Caller::Alice, tool: promised.tool.clone(), arguments, keep: false };
            self.make(&call).await?;
        }
        self.test_bed.record_http(false).await
    }

    fn report(mut self, seed: u64, otherwise: &str) -> Report {
        let without_bound = "the project sets no bound, so this is only reported";
        let verdicts = promises().filter_map(|one| {
            self.findings.verdict(one.id, if one.id.starts_with("measure.") { without_bound } else { otherwise })
        });
        let verdicts = verdicts.collect();
        Report { facts: self.test_bed.facts().clone(), seed, verdicts, measures: self.measures }
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

    /// Makes a call and counts it. Writes of a tool that commits on its own, and what a call remembers or forgets, are undone, unless
    /// the call keeps them.
    pub(crate) async fn make(&mut self, call: &Call) -> Result<CallRecord, TestBedError> {
        self.measures.calls += 1;
        let seen = self.test_bed.call(call).await?;
        let changed_memories = seen.texts.iter().any(|one| ["memory.remember", "memory.forget"].contains(&one.name));
        if !call.keep && (changed_memories || self.committing.contains(&call.tool)) {
            self.test_bed.restore().await?;
        }
        Ok(seen)
    }

    /// At most this many good arguments of every tool, with the tool's place in the list.
    pub(crate) fn some_good(&self, most: usize) -> Vec<(usize, Value)> {
        let of = |(tool, good): (usize, &Vec<Value>)| {
            good.iter().take(most).map(move |arguments| (tool, arguments.clone())).collect::<Vec<_>>()
        };
        self.good.iter().enumerate().flat_map(of).collect()
    }
}
