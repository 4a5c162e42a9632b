//! The price list, in milli-credits: a setting that is read once.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;
use thiserror::Error;

/// Prices are per this many tokens.
const TOKENS: u128 = 1_000_000;
/// Highest price: enough for anything, and far from where sums overflow.
const MAX_PRICE: u64 = 1_000_000_000_000;
/// Stands for every name that is not listed.
const ANY: &str = "*";
/// What a run without a price is taken to cost before it begins: about a cent, as on the platform.
const ESTIMATE_OF_RUN: i64 = 1_000;
/// The same for a call of a tool: next to nothing.
const ESTIMATE_OF_TOOL: i64 = 1;

/// Prices of runs, tools and tokens.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceList {
    /// Each completed run.
    agent_run: Option<u64>,
    /// Each successful call, by tool.
    #[serde(default)]
    tools: BTreeMap<String, u64>,
    /// Tokens, by model.
    #[serde(default)]
    models: BTreeMap<String, ModelPrice>,
}

/// Why a setting is no price list: what is wrong with it.
#[derive(Clone, Debug, Error)]
#[error("{0}")]
pub struct PriceListError(String);

/// A model's prices per million tokens.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelPrice {
    #[serde(default)]
    input: u64,
    #[serde(default)]
    output: u64,
    /// Tokens read from the provider's cache; `input` where absent.
    cached: Option<u64>,
}

/// Tokens of a run. `cached` are a part of `prompt`, `reasoning` are a part of `completion`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub(crate) prompt: u64,
    pub(crate) completion: u64,
    pub(crate) reasoning: u64,
    pub(crate) cached: u64,
}

impl Tokens {
    /// Reads a run's usage in the platform's form.
    pub(crate) fn read(usage: &Json) -> Self {
        let of = |name: &str| usage.get(name).and_then(Json::as_u64).unwrap_or_default();
        Self {
            prompt: of("prompt_tokens"),
            completion: of("completion_tokens"),
            reasoning: of("reasoning_tokens"),
            cached: of("cached_tokens"),
        }
    }
}

impl PriceList {
    /// Reads the setting; the error says what is wrong with it.
    pub fn read(setting: &Json) -> Result<Self, PriceListError> {
        let prices = match setting {
            Json::String(text) => serde_json::from_str(text),
            other => Self::deserialize(other),
        };
        let prices: Self = prices.map_err(|error| PriceListError(error.to_string()))?;
        let models =
            prices.models.values().flat_map(|price| [price.input, price.output, price.cached.unwrap_or_default()]);
        let mut all = prices.agent_run.into_iter().chain(prices.tools.values().copied()).chain(models);
        match all.find(|price| *price > MAX_PRICE) {
            Some(price) => {
                Err(PriceListError(format!("{price} is no price; prices are milli-credits, {MAX_PRICE} at most")))
            }
            None => Ok(prices),
        }
    }

    /// What a run costs beside its tools.
    pub(crate) fn run(&self, model: &str, tokens: Tokens) -> i64 {
        let price = self.models.get(model).or_else(|| self.models.get(ANY)).copied().unwrap_or_default();
        let cached = tokens.cached.min(tokens.prompt);
        let parts = [
            (tokens.prompt - cached, price.input),
            (cached, price.cached.unwrap_or(price.input)),
            (tokens.completion, price.output),
        ];
        let tokens: u128 = parts.iter().map(|(tokens, price)| u128::from(*tokens) * u128::from(*price)).sum();
        // Rounded up, so that nothing with a price is free.
        let whole = tokens.div_ceil(TOKENS) + u128::from(self.agent_run.unwrap_or_default());
        i64::try_from(whole).unwrap_or(i64::MAX)
    }

    /// What one call of a tool costs; none where it has no price.
    pub(crate) fn tool(&self, name: &str) -> Option<i64> {
        let price = self.tools.get(name).or_else(|| self.tools.get(ANY))?;
        i64::try_from(*price).ok()
    }

    /// What a run is taken to cost before it begins.
    pub(crate) fn estimate_of_run(&self) -> i64 {
        self.agent_run.and_then(|price| i64::try_from(price).ok()).unwrap_or(ESTIMATE_OF_RUN)
    }

    /// What a call is taken to cost before it begins.
    pub(crate) fn estimate_of_tool(&self, name: &str) -> i64 {
        self.tool(name).unwrap_or(ESTIMATE_OF_TOOL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn prices() -> PriceList {
        let setting = json!({
            "agent_run": 10, "tools": { "echo": 3, "*": 1 },
            "models": { "openai/a": { "input": 2_000_000, "output": 8_000_000, "cached": 1_000_000 } },
        });
        PriceList::read(&Json::String(setting.to_string())).unwrap_or_default()
    }

    #[test]
    fn tokens_cost_by_the_million_and_are_rounded_up() {
        let tokens = Tokens { prompt: 10, completion: 2, reasoning: 1, cached: 4 };
        assert_eq!(prices().run("openai/a", tokens), 10 + 6 * 2 + 4 + 2 * 8);
        assert_eq!(prices().run("openai/b", tokens), 10, "no price, no cost");
        let cheap = PriceList::read(&json!({ "models": { "*": { "input": 1 } } })).unwrap_or_default();
        assert_eq!(cheap.run("openai/a", Tokens { prompt: 1, ..Tokens::default() }), 1);
    }

    #[test]
    fn nothing_a_provider_says_overflows() {
        let dear = PriceList::read(&json!({ "models": { "*": { "input": MAX_PRICE, "output": MAX_PRICE } } }));
        let tokens = Tokens { prompt: u64::MAX, completion: u64::MAX, reasoning: u64::MAX, cached: u64::MAX };
        assert_eq!(dear.unwrap_or_default().run("x", tokens), i64::MAX);
        let liar = Tokens { prompt: 1, cached: u64::MAX, ..Tokens::default() };
        assert_eq!(prices().run("openai/a", liar), 11, "more cannot be cached than was read");
    }

    #[test]
    fn a_price_is_a_whole_number_and_a_misspelt_one_is_refused() {
        for bad in [
            json!({ "agent_run": -1 }),
            json!({ "agent_run": 1.5 }),
            json!({ "tool": {} }),
            json!("{"),
            json!({ "agent_run": u64::MAX }),
        ] {
            assert!(PriceList::read(&bad).is_err(), "{bad}");
        }
        assert_eq!((prices().estimate_of_tool("echo"), prices().estimate_of_tool("other")), (3, 1));
        assert_eq!((PriceList::default().estimate_of_run(), PriceList::default().estimate_of_tool("x")), (1_000, 1));
    }
}
