//! How work is paid for: plain options, and the sums that follow from them.

use std::collections::BTreeMap;

use behalf_contracts::EndedRun;
use behalf_identity::Principal;
use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::prices::{PriceList, Tokens};

/// Characters of a tool's name that are kept: a model may invent names of any length.
const MAX_TOOL_CHARS: usize = 200;

/// Whether credits are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CreditsMode {
    /// No. Usage is counted.
    #[default]
    Off,
    /// Successful work is charged, and nothing is refused.
    Record,
    /// Work that an account cannot pay for is refused.
    Enforce,
}

/// Whose credits are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CreditsAccount {
    /// Each user's own.
    #[default]
    User,
    /// The project's, for everybody.
    Project,
}

/// How work is paid for.
#[derive(Clone, Debug, Default)]
pub struct Billing {
    /// Whether credits are counted.
    pub mode: CreditsMode,
    /// Whose credits are counted.
    pub account: CreditsAccount,
    /// Prices; nothing costs anything where absent.
    pub prices: Option<PriceList>,
}

/// A tool's calls in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ToolCalls {
    /// The tool's name.
    pub(crate) tool: String,
    /// All calls.
    pub(crate) calls: i64,
    /// The calls that succeeded. Only these cost something.
    pub(crate) succeeded: i64,
}

/// What a completed run costs, in milli-credits.
#[derive(Clone, Debug, Default)]
pub(crate) struct RunCost {
    /// The run and its tokens, without its tools.
    pub(crate) run: i64,
    /// Each tool's calls and what they cost.
    pub(crate) tools: Vec<(ToolCalls, i64)>,
}

impl RunCost {
    /// The run and its tools.
    pub(crate) fn total(&self) -> i64 {
        self.tools.iter().fold(self.run, |sum, (_, cost)| sum.saturating_add(*cost))
    }
}

impl Billing {
    /// The account that pays. Nobody pays where the service role acts in its own name and users pay for themselves.
    pub(crate) fn account_of(&self, principal: &Principal) -> Option<String> {
        match self.account {
            CreditsAccount::Project => Some(account_name(None)),
            CreditsAccount::User => principal.subject().map(|user| account_name(Some(user))),
        }
    }

    /// What a run costs. A run that did not complete costs nothing.
    pub(crate) fn cost_of(&self, run: EndedRun<'_>) -> RunCost {
        let calls = calls_by_tool(run.tool_calls).into_iter();
        let Some(prices) = self.prices.as_ref().filter(|_| run.is_completed) else {
            return RunCost { run: 0, tools: calls.map(|calls| (calls, 0)).collect() };
        };
        let with_cost = |calls: ToolCalls| {
            let cost = prices.tool(&calls.tool).unwrap_or_default().saturating_mul(calls.succeeded);
            (calls, cost)
        };
        RunCost { run: prices.run(run.model, Tokens::read(run.usage)), tools: calls.map(with_cost).collect() }
    }

    /// What a run is taken to cost before it begins.
    pub(crate) fn estimate_of_run(&self) -> i64 {
        self.prices.as_ref().unwrap_or(&PriceList::default()).estimate_of_run()
    }

    /// What a call is taken to cost before it begins.
    pub(crate) fn estimate_of_tool(&self, tool: &str) -> i64 {
        self.prices.as_ref().unwrap_or(&PriceList::default()).estimate_of_tool(tool)
    }

    /// What a successful call costs.
    pub(crate) fn cost_of_tool(&self, tool: &str) -> i64 {
        self.prices.as_ref().and_then(|prices| prices.tool(tool)).unwrap_or_default()
    }
}

/// An account's name in the tables: of the user, or of the project.
pub(crate) fn account_name(user: Option<Uuid>) -> String {
    user.map_or_else(|| "project".to_owned(), |user| format!("user:{user}"))
}

/// Counts the calls in a run's records, in order of the tools' names.
fn calls_by_tool(records: &Json) -> Vec<ToolCalls> {
    let mut counted = BTreeMap::<String, (i64, i64)>::new();
    for record in records.as_array().into_iter().flatten() {
        let Some(name) = record.get("tool_name").and_then(Json::as_str) else { continue };
        let has_succeeded = record.get("status").and_then(Json::as_str) == Some("success");
        let count = counted.entry(name.chars().take(MAX_TOOL_CHARS).collect()).or_default();
        count.0 += 1;
        count.1 += i64::from(has_succeeded);
    }
    counted.into_iter().map(|(tool, (calls, succeeded))| ToolCalls { tool, calls, succeeded }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_calls_that_went_well_are_paid_for() {
        let call = |name: &str, status: &str| json!({ "tool_name": name, "status": status });
        let records = json!([call("b", "success"), call("a", "error"), call("b", "error"), call("b", "success"), 7]);
        let calls = |tool: &str, calls, succeeded| ToolCalls { tool: tool.to_owned(), calls, succeeded };
        assert_eq!(calls_by_tool(&records), [calls("a", 1, 0), calls("b", 3, 2)]);
        let prices = PriceList::read(&json!({ "agent_run": 5, "tools": { "*": 2 } })).ok();
        let billing = Billing { prices, ..Billing::default() };
        let usage = Json::Null;
        let mut run = EndedRun {
            run_id: "r",
            agent_id: Uuid::nil(),
            model: "x",
            is_completed: true,
            usage: &usage,
            tool_calls: &records,
        };
        assert_eq!(billing.cost_of(run).total(), 9);
        run.is_completed = false;
        assert_eq!((billing.cost_of(run).total(), billing.cost_of(run).tools.len()), (0, 2));
    }
}
