//! Keeps every promise: sets a label, and returns its number, which the database gives to new ones.

use behalf_faults::{Outcome, Plugin, Value, database, failed, json, parameter, rows, text};

struct Sound;

impl Plugin for Sound {
    fn budget(arguments: &Value) -> Outcome {
        let category = text(arguments, "category")?;
        if !arguments["monthly_limit"].is_number() {
            return Err(behalf_faults::wrong("The monthly limit must be a number."));
        }
        let sql = "insert into public.labels (name) values ($1) \
                   on conflict (owner_id, name) do update set name = excluded.name returning id";
        match rows(sql, &[parameter(category)])?.rows.first().and_then(|row| row.first()) {
            Some(database::Value::Integer(id)) => Ok(json!({"changed": id})),
            _ => Err(failed("The database did not say which label it made.")),
        }
    }
}

behalf_faults::export!(Sound);
