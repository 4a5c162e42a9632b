//! Results in the protocol's own form: images, sounds and files instead of data.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rmcp::model::{ContentBlock, ResourceContents};
use serde_json::Value;

/// Blocks of one result; a client shows each of them.
const MAX_BLOCKS: usize = 100;

/// The blocks of a result that is written in the protocol's own form, `{"content": [{"type": "image", …}, …]}` and
/// nothing else. Anything that is not exactly that is data like any other.
pub(crate) fn blocks(result: &Value) -> Option<Vec<ContentBlock>> {
    let fields = result.as_object().filter(|fields| fields.len() == 1)?;
    let items = fields.get("content")?.as_array()?;
    if items.is_empty() || items.len() > MAX_BLOCKS {
        return None;
    }
    items.iter().map(block).collect()
}

fn block(item: &Value) -> Option<ContentBlock> {
    let block = serde_json::from_value(item.clone()).ok()?;
    let sound = match &block {
        ContentBlock::Text(_) => true,
        ContentBlock::Image(image) => is_base64(&image.data) && is_mime(&image.mime_type, "image/"),
        ContentBlock::Audio(audio) => is_base64(&audio.data) && is_mime(&audio.mime_type, "audio/"),
        ContentBlock::Resource(resource) => match &resource.resource {
            ResourceContents::TextResourceContents { .. } => true,
            ResourceContents::BlobResourceContents { blob, .. } => is_base64(blob),
            _ => false,
        },
        // Links lead to `resources/read`, which is not served.
        _ => false,
    };
    sound.then_some(block)
}

fn is_base64(text: &str) -> bool {
    STANDARD.decode(text).is_ok()
}

fn is_mime(text: &str, kind: &str) -> bool {
    text.strip_prefix(kind).is_some_and(|rest| {
        (1..=100).contains(&rest.len())
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_whole_and_sound_content_is_passed_on() {
        let text = json!({ "type": "text", "text": "a" });
        let image = json!({ "type": "image", "data": "aGk=", "mimeType": "image/png" });
        let blob = json!({ "type": "resource", "resource": { "uri": "x://y", "blob": "aGk=" } });
        assert_eq!(blocks(&json!({ "content": [text, image, blob] })).map(|blocks| blocks.len()), Some(3));
        for data in [
            json!({ "content": [] }),
            json!({ "content": "text" }),
            json!({ "content": [text], "more": 1 }),
            json!({ "content": [text, { "type": "image", "data": "not base64!", "mimeType": "image/png" }] }),
            json!({ "content": [{ "type": "image", "data": "aGk=", "mimeType": "text/html" }] }),
            json!({ "content": [{ "type": "image", "data": "aGk=", "mimeType": "image/png\r\nx: y" }] }),
            json!({ "content": [{ "type": "resource", "resource": { "uri": "x://y", "blob": "!" } }] }),
            json!({ "content": vec![text.clone(); MAX_BLOCKS + 1] }),
        ] {
            assert!(blocks(&data).is_none(), "{data}");
        }
    }
}
