//! Takes it for granted that all is granted.

use behalf_faults::{Outcome, Plugin, Value, database, find, said, wanted};

struct Fault;

impl Plugin for Fault {
    fn find(arguments: &Value) -> Outcome {
        let (search, limit) = wanted(arguments)?;
        std::hint::black_box((search, limit));
        match database::query("select title from public.notes limit 1", &[]) {
            Err(error) if error.code == "not_granted" => panic!("granted: {}", error.message),
            Err(error) => Err(said(error)),
            Ok(_) => find(arguments),
        }
    }
}

behalf_faults::export!(Fault);
