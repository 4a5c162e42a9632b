//! Imports a bank statement. No statement here names a user: the table gives each row its owner, and row-level security leaves only the
//! rows of the person the call is for.

mod amount;
mod columns;
mod csv;
mod day;
mod statement;

use behalf_sdk::{Error, caller, database, log, params, progress, settings, tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use day::DateOrder;
use statement::{Line, Statement, clean, is_currency};

/// New entries that the answer lists.
const MAX_ENTRIES: usize = 50;
/// Lines that cannot be read that the answer lists.
const MAX_REJECTED: usize = 20;

/// Adds the lines that are not there. What a line says makes its key, and the key is unique for each owner and account, so a line that
/// comes again is left out by the database itself, also where two calls import it at once.
const IMPORT: &str = "\
    with line as (
        select place, booked_on, payee, purpose, amount, currency,
               md5(jsonb_build_array(booked_on, payee, purpose, amount, currency, occurrence)::text) as line_key
        from jsonb_to_recordset($2::jsonb) as line (place int, booked_on date, payee text, purpose text, amount numeric(14, 2),
                                                    currency text, occurrence int)
    ), added as (
        insert into public.bank_entries (account, line_key, booked_on, payee, purpose, amount, currency)
        select $1::text, line_key, booked_on, payee, purpose, amount, currency from line
        on conflict (owner_id, account, line_key) do nothing
        returning line_key
    )
    select line.place, (select count(*) from added) as added
    from line join added using (line_key)
    order by line.place
    limit $3";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(description = "")]
struct Arguments {
    /// The statement as the bank exports it: CSV, whose first line names the columns.
    #[schemars(length(min = 1, max = 200_000), extend("examples" = ["Date,Payee,Amount\n2026-03-02,Green Grocer,-42.10\n"]))]
    csv: String,
    /// The account that the statement is of, by the name that the user gives it. The same name each time.
    #[schemars(length(min = 1, max = 80), extend("examples" = ["Giro"]))]
    account: String,
    /// How 03/04/2026 is meant, if the statement writes days so. By default `day_first`.
    date_order: Option<DateOrder>,
    /// The currency of the statement as its ISO 4217 code, if no column says it.
    #[schemars(extend("pattern" = "^[A-Z]{3}$", "examples" = ["EUR"]))]
    currency: Option<String>,
}

/// What an operator may set.
#[derive(Deserialize)]
struct Settings {
    /// The currency of statements that do not say theirs.
    #[serde(default = "default_currency")]
    currency: String,
}

fn default_currency() -> String {
    "EUR".into()
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Imported {
    /// How many entries were added.
    added: u64,
    /// How many lines were there already, from an earlier import.
    already_there: u64,
    /// How many lines could not be read. They were left out.
    rejected: u64,
    /// The new entries, in the order of the statement; the first 50.
    entries: Vec<Entry>,
    /// The first 20 lines that could not be read.
    rejected_lines: Vec<RejectedLine>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Entry {
    booked_on: String,
    payee: String,
    purpose: String,
    /// As a decimal number. Negative: it was spent.
    amount: String,
    currency: String,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct RejectedLine {
    /// Its number in the CSV, from 1.
    line: u64,
    reason: String,
}

/// A line that was added, and how many were in all.
#[derive(Deserialize)]
struct Added {
    place: usize,
    added: u64,
}

/// Imports a bank statement in CSV into the current user's bank entries, and returns what was new. Lines that were imported before are
/// skipped, so the same statement may be imported again, and statements may overlap. Use it when the user hands over a statement.
#[tool(title = "Import a bank statement", destructive = false, idempotent)]
fn import_statement(arguments: Arguments) -> Result<Imported, Error> {
    // Each entry has an owner, so a call without a user can import nothing.
    caller::require_subject()?;
    let account = clean(&arguments.account);
    if account.is_empty() {
        return Err(Error::invalid_arguments("The account's name is blank; give the name that the user calls it by."));
    }
    let currency = match arguments.currency {
        Some(currency) => currency,
        None => settings::get::<Settings>()?.currency,
    };
    if !is_currency(&currency) {
        return Err(Error::failed(
            "The plugin's setting `currency` has to be a code such as EUR; an operator can change it.",
        ));
    }

    progress::report(0, 2, "Reading the statement");
    let statement = Statement::read(&arguments.csv, arguments.date_order.unwrap_or_default(), &currency)?;
    progress::report(1, 2, "Adding what is new");
    let added = add(&account, &statement.lines)?;
    progress::report(2, 2, "Done");
    Ok(answer(&statement, &added))
}

/// One statement for all lines.
fn add(account: &str, lines: &[Line]) -> Result<Vec<Added>, Error> {
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    // The number of all stands in each row, so an answer that the host cuts short is good enough.
    database::query(IMPORT, params![account, database::json(&lines)?, MAX_ENTRIES])?.decode()
}

fn answer(statement: &Statement, rows: &[Added]) -> Imported {
    let added = rows.first().map_or(0, |row| row.added);
    let entry = |line: &Line| Entry {
        booked_on: line.booked_on.clone(),
        payee: line.payee.clone(),
        purpose: line.purpose.clone(),
        amount: line.amount.clone(),
        currency: line.currency.clone(),
    };
    let rejected = statement.rejected.iter().take(MAX_REJECTED);
    let imported = Imported {
        added,
        already_there: (statement.lines.len() as u64).saturating_sub(added),
        rejected: statement.rejected.len() as u64,
        entries: rows.iter().filter_map(|row| statement.lines.get(row.place)).map(entry).collect(),
        rejected_lines: rejected
            .map(|one| RejectedLine { line: one.line as u64, reason: one.reason.clone() })
            .collect(),
    };
    // Numbers alone: the log is the operator's.
    log::info(format!("{} added, {} there already, {} rejected", added, imported.already_there, imported.rejected));
    imported
}

behalf_sdk::export_tools!(import_statement);

#[cfg(test)]
mod tests {
    use behalf_sdk::mock::Host;
    use serde_json::json;

    use super::*;

    const CSV: &str = "Date,Payee,Amount\n2026-03-02,Green Grocer,-42.10\n2026-03-03,Café,-3.20\nyesterday,Café,-1\n";

    #[test]
    fn what_is_new_is_answered_and_what_is_not_is_counted() {
        let host = Host::new();
        host.answer("insert into public.bank_entries", json!([{"place": 1, "added": 1}]));
        let found = host.call::<import_statement>(json!({"csv": CSV, "account": " Giro "})).expect("an import");
        assert_eq!(
            found,
            json!({
                "added": 1,
                "already_there": 1,
                "rejected": 1,
                "entries": [
                    {"booked_on": "2026-03-03", "payee": "Café", "purpose": "", "amount": "-3.20", "currency": "EUR"}
                ],
                "rejected_lines": [{"line": 4, "reason": "\"yesterday\" is no day of the calendar."}],
            })
        );
        let lines = json!([
            {"place": 0, "booked_on": "2026-03-02", "payee": "Green Grocer", "purpose": "", "amount": "-42.10",
             "currency": "EUR", "occurrence": 1},
            {"place": 1, "booked_on": "2026-03-03", "payee": "Café", "purpose": "", "amount": "-3.20",
             "currency": "EUR", "occurrence": 1},
        ]);
        let sent = &host.statements()[0].params;
        assert_eq!((&sent[0], &sent[2]), (&params!["Giro"][0], &params![50][0]));
        let database::Value::Text(text) = &sent[1] else { unreachable!("lines are JSON") };
        assert_eq!(serde_json::from_str::<serde_json::Value>(text).expect("JSON"), lines);
        assert_eq!(host.log_lines(), ["info 1 added, 1 there already, 1 rejected"]);
    }

    #[test]
    fn an_answer_that_was_cut_short_still_has_the_number() {
        let host = Host::new();
        host.answer(
            "insert into public.bank_entries",
            database::RowSet {
                columns: ["place", "added"]
                    .map(|name| database::Column { name: name.into(), type_name: "int8".into() })
                    .into(),
                rows: vec![params![0, 2].to_vec()],
                truncated: true,
            },
        );
        let found = host.call::<import_statement>(json!({"csv": CSV, "account": "Giro"})).expect("an import");
        assert_eq!((&found["added"], &found["already_there"]), (&json!(2), &json!(0)));
    }

    #[test]
    fn a_statement_without_sound_lines_reaches_no_database() {
        let host = Host::new();
        let found =
            host.call::<import_statement>(json!({"csv": "Date,Payee,Amount\n", "account": "Giro"})).expect("an import");
        assert_eq!((&found["added"], &found["rejected"]), (&json!(0), &json!(0)));
        assert_eq!(host.statements(), []);
    }

    #[test]
    fn the_operator_says_which_currency_is_meant() {
        let host = Host::new();
        host.set_settings(json!({"currency": "CHF"}));
        host.answer("insert into public.bank_entries", json!([{"place": 0, "added": 1}]));
        let found = host.call::<import_statement>(json!({"csv": CSV, "account": "Giro"})).expect("an import");
        assert_eq!(found["entries"][0]["currency"], "CHF");
        host.set_settings(json!({"currency": "francs"}));
        let error = host.call::<import_statement>(json!({"csv": CSV, "account": "Giro"})).expect_err("an error");
        assert!(error.code == "failed" && error.message.contains("`currency`"), "{error:?}");
    }

    #[test]
    fn a_call_without_a_user_or_an_account_is_refused() {
        let host = Host::new();
        let refused = |arguments| host.call::<import_statement>(arguments).map_err(|error| error.code);
        assert_eq!(refused(json!({"csv": CSV, "account": "  "})), Err("invalid_arguments".into()));
        host.set_role("anon");
        assert_eq!(refused(json!({"csv": CSV, "account": "Giro"})), Err("denied".into()));
        assert_eq!(host.statements(), []);
    }

    #[test]
    fn a_refusal_of_the_database_is_passed_on() {
        let host = Host::new();
        host.fail("insert", "forbidden", "You may not write public.bank_entries.");
        let error = host.call::<import_statement>(json!({"csv": CSV, "account": "Giro"})).expect_err("an error");
        assert_eq!(error, Error::denied("You may not write public.bank_entries."));
    }
}
