//! Sums up a month of the caller's expenses. No statement here names a user: row-level security leaves only the rows of
//! the person the call is for, whoever that is.

#![cfg_attr(target_family = "wasm", no_std)]

extern crate alloc;

mod month;
mod report;

use alloc::string::String;
use alloc::vec::Vec;

use behalf_sdk::database::{query_as, query_scalar};
use behalf_sdk::{Error, params, progress, settings, tool};
use schemars::JsonSchema;
use serde::Deserialize;

use month::Month;
use report::{Budget, CategoryTotal, MerchantTotal, OtherCurrency, Report};

/// What budgets are kept in, and what is reported, unless the setting `currency` says otherwise.
const DEFAULT_CURRENCY: &str = "EUR";

/// How many statements a report takes.
const STEPS: u64 = 4;

// Money leaves the database in hundredths, as integers: sums of floats would not add up.

const CATEGORIES: &str = "\
    select coalesce(category, 'uncategorised') as category,
           coalesce((sum(amount) filter (where spent_on >= $1::date) * 100)::bigint, 0) as total,
           count(*) filter (where spent_on >= $1::date) as expenses,
           coalesce((sum(amount) filter (where spent_on < $1::date) * 100)::bigint, 0) as previous_total
    from public.expenses
    where currency = $2 and spent_on >= ($1::date - interval '1 month') and spent_on < ($1::date + interval '1 month')
    group by 1
    order by total desc, category";

const MERCHANTS: &str = "\
    select coalesce(merchant, 'unknown') as merchant, (coalesce(sum(amount), 0) * 100)::bigint as total, count(*) as expenses
    from public.expenses
    where currency = $2 and spent_on >= $1::date and spent_on < ($1::date + interval '1 month')
    group by 1
    order by total desc, merchant
    limit 5";

const BUDGETS: &str = "\
    select category, (sum(monthly_limit) * 100)::bigint as monthly_limit
    from public.budgets
    where category is not null and monthly_limit is not null
    group by category";

const OTHER_CURRENCIES: &str = "\
    select currency, (coalesce(sum(amount), 0) * 100)::bigint as total, count(*) as expenses
    from public.expenses
    where currency <> $2 and spent_on >= $1::date and spent_on < ($1::date + interval '1 month')
    group by currency
    order by currency";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The month as YYYY-MM; the current one if left out.
    #[schemars(extend("pattern" = "^[0-9]{4}-(0[1-9]|1[0-2])$", "examples" = ["2026-03"]))]
    month: Option<String>,
    /// Which currency's expenses to sum up, as its ISO 4217 code; normally left out.
    #[schemars(extend("pattern" = "^[A-Z]{3}$", "examples" = ["EUR"]))]
    currency: Option<String>,
}

/// What an operator may set.
#[derive(Deserialize)]
struct Settings {
    /// What budgets are kept in, and what is reported unless the arguments say otherwise.
    #[serde(default = "default_currency")]
    currency: String,
}

fn default_currency() -> String {
    DEFAULT_CURRENCY.into()
}

/// Sums up one month of the current user's expenses: the total and its change over the month before, totals by category,
/// the merchants most was spent at, and which budgets were exceeded. Use it for questions about spending in a month; use
/// `database_query` for single expenses.
#[tool(title = "Spending report", read_only, idempotent)]
fn spending_report(arguments: Arguments) -> Result<Report, Error> {
    let month = match arguments.month {
        Some(month) => month.parse()?,
        None => this_month()?,
    };
    let Settings { currency: budget_currency } = settings::get()?;
    let currency = arguments.currency.unwrap_or_else(|| budget_currency.clone());
    let params = params![month.first_day(), &currency];

    progress::report(0, STEPS, "Summing up categories");
    let categories: Vec<CategoryTotal> = query_as(CATEGORIES, params)?;
    progress::report(1, STEPS, "Finding the top merchants");
    let merchants: Vec<MerchantTotal> = query_as(MERCHANTS, params)?;
    progress::report(2, STEPS, "Comparing with budgets");
    let budgets: Vec<Budget> = if currency == budget_currency { query_as(BUDGETS, &[])? } else { Vec::new() };
    progress::report(3, STEPS, "Looking for other currencies");
    let others: Vec<OtherCurrency> = query_as(OTHER_CURRENCIES, params)?;
    progress::report(STEPS, STEPS, "Done");

    Ok(Report::new(month, currency, categories, merchants, budgets, others))
}

/// By the database's clock, which is the one that dated the expenses.
fn this_month() -> Result<Month, Error> {
    query_scalar::<String>("select to_char(current_date, 'YYYY-MM')", &[])?.parse()
}

behalf_sdk::export_lean_tools!(spending_report);

#[cfg(test)]
mod tests {
    use behalf_sdk::mock::Host;
    use serde_json::json;

    use super::*;

    fn host() -> Host {
        let host = Host::new();
        host.answer(
            "group by 1 order by total desc, category",
            json!([
                {"category": "food", "total": 4210, "expenses": 1, "previous_total": 0},
            ]),
        );
        host.answer(
            "order by total desc, merchant",
            json!([{"merchant": "Green Grocer", "total": 4210, "expenses": 1}]),
        );
        host.answer("from public.budgets", json!([{"category": "food", "monthly_limit": 4000}]));
        host.answer("currency <> $2", json!([]));
        host
    }

    #[test]
    fn a_month_and_a_currency_are_asked_for() {
        let host = host();
        host.set_settings(json!({"currency": "CHF"}));
        let report = host.call::<spending_report>(json!({"month": "2026-03"})).expect("a report");
        assert_eq!((&report["total"], &report["currency"]), (&json!(42.1), &json!("CHF")));
        assert_eq!(report["budgets"][0]["exceeded"], true);
        assert_eq!(host.statements()[0].params, params!["2026-03-01", "CHF"]);
        assert_eq!(host.progress().len(), 5);
    }

    #[test]
    fn this_month_is_the_databases() {
        let host = host();
        host.answer("current_date,", json!([["2026-05"]]));
        let report = host.call::<spending_report>(json!({})).expect("a report");
        assert_eq!((&report["month"], &report["currency"]), (&json!("2026-05"), &json!("EUR")));
    }

    #[test]
    fn budgets_are_kept_in_one_currency() {
        let host = host();
        let report = host.call::<spending_report>(json!({"month": "2026-03", "currency": "USD"})).expect("a report");
        assert_eq!(report["budgets"], json!([]));
        assert!(host.statements().iter().all(|statement| !statement.sql.contains("budgets")));
    }

    #[test]
    fn what_is_not_a_month_reaches_no_database() {
        let host = host();
        let error = host.call::<spending_report>(json!({"month": "March"})).expect_err("an error");
        assert_eq!(error.code, "invalid_arguments");
        assert_eq!(host.statements(), []);
    }
}
