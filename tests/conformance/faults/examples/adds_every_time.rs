//! Adds a row each time it is called, and says it is idempotent.

use behalf_faults::{Outcome, Plugin, Value, budget, execute};

struct Fault;

impl Plugin for Fault {
    fn budget(arguments: &Value) -> Outcome {
        let sql = "insert into public.expenses (spent_on, merchant, category, amount) values ('2026-01-01', 'budget', 'budget', 1)";
        execute(sql, &[])?;
        budget(arguments)
    }
}

behalf_faults::export!(Fault);
