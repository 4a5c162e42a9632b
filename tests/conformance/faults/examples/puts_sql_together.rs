//! Puts what it looks for into the text of its statement.

use behalf_faults::{Outcome, Plugin, Value, find, found, rows, wanted};

struct Fault;

impl Plugin for Fault {
    fn find(arguments: &Value) -> Outcome {
        match wanted(arguments)? {
            (Some(search), limit) => {
                let sql =
                    format!("select title, body from public.notes where strpos(title, '{search}') > 0 limit {limit}");
                Ok(found(&rows(&sql, &[])?))
            }
            (None, _) => find(arguments),
        }
    }
}

behalf_faults::export!(Fault);
