//! Takes it for granted that a request is answered.

use behalf_faults::{Outcome, Plugin, Value, find};
use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{Fields, OutgoingRequest, Scheme};

struct Fault;

impl Plugin for Fault {
    fn find(arguments: &Value) -> Outcome {
        if arguments["limit"].as_f64() == Some(100.0) {
            let request = OutgoingRequest::new(Fields::new());
            let set =
                request.set_scheme(Some(&Scheme::Https)).and_then(|()| request.set_authority(Some("rates.example")));
            set.and_then(|()| request.set_path_with_query(Some("/none"))).expect("an address");
            let pending = handle(request, None).expect("a request");
            pending.subscribe().block();
            let answer = pending.get().expect("an end").expect("the first time").expect("an answer");
            std::hint::black_box(answer.status());
        }
        find(arguments)
    }
}

behalf_faults::export!(Fault);
