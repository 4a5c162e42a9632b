//! Sums up a month of the caller's expenses. No statement here names a user: row-level security leaves only the rows of
//! the person the call is for, whoever that is.

#![cfg_attr(target_family = "wasm", no_std)]

extern crate alloc;

mod month;
mod report;

use alloc::string::String;
use alloc::vec::Vec;

use behalf_sdk::database::{Value, query_as};
use behalf_sdk::{Error, Tool, progress, settings};
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

/// `spending_report {month?, currency?}`: what was spent in a month, on what, and where.
struct SpendingReport;

#[derive(Deserialize)]
struct Arguments {
    month: Option<String>,
    currency: Option<String>,
}

impl Tool for SpendingReport {
    const NAME: &'static str = "spending_report";
    const DEFINITION: &'static str = include_str!("spending_report.json");
    type Arguments = Arguments;
    type Output = Report;

    fn call(arguments: Arguments) -> Result<Report, Error> {
        let month = match arguments.month {
            Some(month) => month.parse()?,
            None => this_month()?,
        };
        let budget_currency = budget_currency();
        let currency = arguments.currency.unwrap_or_else(|| budget_currency.clone());
        let params = [Value::from(month.first_day()), Value::from(currency.as_str())];

        progress::report(0, STEPS, "Summing up categories");
        let categories: Vec<CategoryTotal> = query_as(CATEGORIES, &params)?;
        progress::report(1, STEPS, "Finding the top merchants");
        let merchants: Vec<MerchantTotal> = query_as(MERCHANTS, &params)?;
        progress::report(2, STEPS, "Comparing with budgets");
        let budgets: Vec<Budget> = if currency == budget_currency { query_as(BUDGETS, &[])? } else { Vec::new() };
        progress::report(3, STEPS, "Looking for other currencies");
        let others: Vec<OtherCurrency> = query_as(OTHER_CURRENCIES, &params)?;
        progress::report(STEPS, STEPS, "Done");

        Ok(Report::new(month, currency, categories, merchants, budgets, others))
    }
}

/// By the database's clock, which is the one that dated the expenses.
fn this_month() -> Result<Month, Error> {
    #[derive(Deserialize)]
    struct Today {
        month: String,
    }
    let today: Vec<Today> = query_as("select to_char(current_date, 'YYYY-MM') as month", &[])?;
    today.first().ok_or_else(|| Error::failed("The database did not say what day it is."))?.month.parse()
}

fn budget_currency() -> String {
    settings::get_all().get("currency").and_then(|currency| currency.as_str()).unwrap_or(DEFAULT_CURRENCY).into()
}

behalf_sdk::export_lean_tools!(SpendingReport);
