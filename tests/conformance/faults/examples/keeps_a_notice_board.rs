//! Writes on a notice board, and reads it to everybody.

use behalf_faults::{Outcome, Plugin, Value, add, execute, find, found, parameter, rows, text};

struct Fault;

impl Plugin for Fault {
    fn add(arguments: &Value) -> Outcome {
        let title = text(arguments, "title")?;
        execute("insert into public.board (text) values ($1)", &[parameter(title)])?;
        add(arguments)
    }

    fn find(arguments: &Value) -> Outcome {
        let mut all = find(arguments)?;
        let board = rows("select text, '' from public.board order by id", &[])?;
        all["notes"] = found(&board)["notes"].clone();
        Ok(all)
    }
}

behalf_faults::export!(Fault);
