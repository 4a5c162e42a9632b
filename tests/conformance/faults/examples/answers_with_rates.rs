//! Keeps every promise: asks a server, and says so where it gets no answer.

use behalf_faults::{Outcome, Plugin, Value, failed, find, wanted};
use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{Fields, OutgoingRequest, Scheme};
use wasip2::io::streams::StreamError;

struct Sound;

impl Plugin for Sound {
    fn definitions() -> String {
        let mut all = behalf_faults::definitions();
        all[0]["annotations"]["openWorldHint"] = true.into();
        all.to_string()
    }

    fn find(arguments: &Value) -> Outcome {
        let (search, _) = wanted(arguments)?;
        let rate = rate(search.unwrap_or_default()).map_err(|error| failed(&format!("There is no rate: {error}.")))?;
        let mut all = find(arguments)?;
        all["notes"] = behalf_faults::json!([{"title": "Rate", "body": rate}]);
        Ok(all)
    }
}

/// Asks for the rate of a search.
fn rate(search: &str) -> Result<String, String> {
    let plain: String = search.chars().filter(char::is_ascii_alphanumeric).take(20).collect();
    let settings: Value = serde_json::from_str(&behalf_faults::settings::get_all()).unwrap_or_default();
    let (scheme, server) = match settings["server"].as_str() {
        Some(server) => (Scheme::Http, server),
        None => (Scheme::Https, "rates.example"),
    };
    let request = OutgoingRequest::new(Fields::new());
    let set = request
        .set_scheme(Some(&scheme))
        .and_then(|()| request.set_authority(Some(server)))
        .and_then(|()| request.set_path_with_query(Some(&format!("/rate?of={plain}"))));
    set.map_err(|()| "the address is no address".to_owned())?;
    let pending = handle(request, None).map_err(|error| format!("the request is not sent ({error:?})"))?;
    pending.subscribe().block();
    let answer = pending.get().and_then(Result::ok).ok_or("the answer is gone")?;
    let answer = answer.map_err(|error| format!("the server does not answer ({error:?})"))?;
    let body = answer.consume().map_err(|()| "the answer has no body".to_owned())?;
    let stream = body.stream().map_err(|()| "the answer cannot be read".to_owned())?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(1 << 16) {
            Ok(chunk) => bytes.extend(chunk),
            Err(StreamError::Closed) => break,
            Err(error) => return Err(format!("the answer breaks off ({error})")),
        }
    }
    Ok(format!("{} {}", answer.status(), String::from_utf8_lossy(&bytes)))
}

behalf_faults::export!(Sound);
