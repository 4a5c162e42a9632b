//! Reads server-sent events as a client of the platform does.

use futures::StreamExt;
use serde_json::Value;

/// One event: its `id:` line and its JSON.
#[derive(Clone, Debug)]
pub struct Event {
    /// The `id:` line.
    pub id: Option<String>,
    /// The `data:` line.
    pub data: Value,
}

impl Event {
    /// The event's name.
    pub fn name(&self) -> &str {
        self.data["event"].as_str().unwrap_or_default()
    }
}

/// Reads a stream to its end.
pub async fn read_events(response: reqwest::Response) -> Vec<Event> {
    let mut events = Vec::new();
    let mut text = String::new();
    let mut body = response.bytes_stream();
    while let Some(part) = body.next().await {
        text.push_str(std::str::from_utf8(&part.unwrap()).unwrap());
        while let Some(end) = text.find("\n\n") {
            let frame: String = text.drain(..end + 2).collect();
            if let Some(event) = read_frame(&frame) {
                events.push(event);
            }
        }
    }
    assert!(text.is_empty(), "half a frame is left: {text}");
    events
}

/// Reads one frame; a comment is none.
pub fn read_frame(frame: &str) -> Option<Event> {
    let line = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    let data = line("data: ")?;
    Some(Event { id: line("id: "), data: serde_json::from_str(&data).unwrap() })
}
