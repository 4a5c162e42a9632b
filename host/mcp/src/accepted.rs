//! The forms in which a client takes an answer.

use http::HeaderMap;
use http::header::ACCEPT;

/// What a client takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accepted {
    /// JSON alone: it names nothing else, or names nothing at all.
    Json,
    /// A stream of events as well.
    Events,
}

impl Accepted {
    /// Reads `Accept`. None where the client takes neither.
    pub(crate) fn read(headers: &HeaderMap) -> Option<Self> {
        if !headers.contains_key(ACCEPT) {
            return Some(Self::Json);
        }
        let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let mut ranges = values.flat_map(|value| value.split(',')).filter(|range| !is_refused(range));
        let (mut json, mut events) = (false, false);
        for range in &mut ranges {
            match range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
                "application/json" | "application/*" | "*/*" => json = true,
                "text/event-stream" => events = true,
                _ => {}
            }
        }
        match (json, events) {
            (true, true) => Some(Self::Events),
            (true, false) => Some(Self::Json),
            (false, _) => None,
        }
    }
}

/// Whether a range has the weight 0 (RFC 9110, section 12.4.2).
fn is_refused(range: &str) -> bool {
    let weights = range.split(';').skip(1).filter_map(|parameter| parameter.trim().strip_prefix("q="));
    let mut weights = weights.filter_map(|weight| weight.trim().parse::<f32>().ok());
    weights.any(|weight| weight <= 0.0)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn who_does_not_ask_for_events_gets_json() {
        let read =
            |accept: &'static str| Accepted::read(&HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]));
        assert_eq!(Accepted::read(&HeaderMap::new()), Some(Accepted::Json));
        for accept in [
            "*/*",
            "application/json",
            "application/json; charset=utf-8",
            "application/*, text/html",
            "text/event-stream;q=0, */*",
        ] {
            assert_eq!(read(accept), Some(Accepted::Json), "{accept}");
        }
        for accept in [
            "application/json, text/event-stream",
            "text/event-stream;q=0.5,APPLICATION/JSON",
            "text/event-stream, */*",
        ] {
            assert_eq!(read(accept), Some(Accepted::Events), "{accept}");
        }
        for accept in
            ["text/html", "text/event-stream", "application/json;q=0", "application/json;q=0.0, text/event-stream"]
        {
            assert_eq!(read(accept), None, "{accept}");
        }
    }
}
