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
    // A part may end within a letter.
    let mut bytes = Vec::new();
    let mut body = response.bytes_stream();
    while let Some(part) = body.next().await {
        bytes.extend_from_slice(&part.unwrap());
        while let Some(end) = bytes.windows(2).position(|pair| pair == b"\n\n") {
            let frame: Vec<u8> = bytes.drain(..end + 2).collect();
            events.extend(read_frame(std::str::from_utf8(&frame).unwrap()));
        }
    }
    assert!(bytes.is_empty(), "half a frame is left: {bytes:?}");
    events
}

/// Reads one frame; a comment is none.
pub fn read_frame(frame: &str) -> Option<Event> {
    let line = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    let data = line("data: ")?;
    Some(Event { id: line("id: "), data: serde_json::from_str(&data).unwrap() })
}
