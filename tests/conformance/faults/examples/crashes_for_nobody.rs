//! Takes it for granted that there is a user.

use behalf_faults::{Outcome, Plugin, Value, find};

struct Fault;

impl Plugin for Fault {
    fn find(arguments: &Value) -> Outcome {
        let subject = behalf_faults::caller::get_identity().subject;
        std::hint::black_box(subject.expect("a user"));
        find(arguments)
    }
}

behalf_faults::export!(Fault);
