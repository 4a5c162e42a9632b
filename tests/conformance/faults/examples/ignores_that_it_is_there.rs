//! Adds a budget, and takes every failure for one that is there already: after it nothing of the call is kept.

use behalf_faults::{Outcome, Plugin, Value, execute, json, parameter, text, wrong};

struct Fault;

impl Plugin for Fault {
    fn budget(arguments: &Value) -> Outcome {
        let category = text(arguments, "category")?;
        let limit = arguments["monthly_limit"].as_f64().ok_or_else(|| wrong("The monthly limit must be a number."))?;
        let sql = "insert into public.budgets (category, monthly_limit) values ($1, ($2::text)::numeric)";
        let changed = execute(sql, &[parameter(category), parameter(&limit.to_string())]).unwrap_or(0);
        Ok(json!({"changed": changed}))
    }
}

behalf_faults::export!(Fault);
