//! Results in MCP's own form: pictures, sounds, files and links instead of data
//! (<https://modelcontextprotocol.io/specification/2025-11-25/server/tools#tool-result>).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Blocks of one result; a client shows each of them.
const MAX_BLOCKS: usize = 100;
/// Characters of an address.
const MAX_URI_CHARS: usize = 2_000;

/// A block of a result.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ContentBlock {
    /// A text.
    Text {
        /// The text.
        text: String,
    },
    /// A picture.
    Image(Media),
    /// A sound.
    Audio(Media),
    /// A file, as a whole.
    Resource {
        /// The file.
        resource: EmbeddedResource,
    },
    /// Where a file can be read.
    ResourceLink(ResourceLink),
}

/// Bytes that are shown or heard.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Media {
    /// The bytes as base64.
    pub data: String,
    /// `image/png`
    pub mime_type: String,
}

/// A file in a result. It has a text or bytes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EmbeddedResource {
    /// Its address.
    pub uri: String,
    /// Its media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// Its text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Its bytes as base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob: Option<String>,
}

/// A link to a file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceLink {
    /// Its address.
    pub uri: String,
    /// Its name.
    pub name: String,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
}

/// The blocks of a result that is written in MCP's own form, `{"content": [{"type": "image", …}, …]}` and nothing else. Anything that is
/// not exactly that is data like any other.
pub fn content_blocks(result: &Value) -> Option<Vec<ContentBlock>> {
    let fields = result.as_object().filter(|fields| fields.len() == 1)?;
    let items = fields.get("content")?.as_array()?;
    if items.is_empty() || items.len() > MAX_BLOCKS {
        return None;
    }
    items.iter().map(|item| ContentBlock::deserialize(item).ok().filter(ContentBlock::is_sound)).collect()
}

impl ContentBlock {
    /// Whether a client can show it.
    pub fn is_sound(&self) -> bool {
        match self {
            Self::Text { .. } => true,
            Self::Image(Media { data, mime_type }) => is_base64(data) && is_of("image/", mime_type),
            Self::Audio(Media { data, mime_type }) => is_base64(data) && is_of("audio/", mime_type),
            Self::Resource { resource: EmbeddedResource { text, blob, .. } } => match (text, blob) {
                (Some(_), None) => true,
                (None, Some(blob)) => is_base64(blob),
                _ => false,
            },
            Self::ResourceLink(ResourceLink { uri, name, .. }) => {
                !name.is_empty() && uri.chars().count() <= MAX_URI_CHARS && has_scheme(uri)
            }
        }
    }

    /// What a model of text is told of it.
    pub fn to_words(&self) -> String {
        let sized = |what: &str, mime_type: &str, base64: &str| {
            let bytes = base64.trim_end_matches('=').len() * 3 / 4;
            format!("[{what}, {mime_type}, {bytes} bytes: the user sees it, you do not]")
        };
        match self {
            Self::Text { text } => text.clone(),
            Self::Image(Media { data, mime_type }) => sized("an image", mime_type, data),
            Self::Audio(Media { data, mime_type }) => sized("a sound", mime_type, data),
            Self::Resource { resource } => match (&resource.text, &resource.blob) {
                (Some(text), _) => format!("[{}]\n{text}", resource.uri),
                (None, blob) => {
                    let kind = resource.mime_type.as_deref().unwrap_or("application/octet-stream");
                    format!("[{}] {}", resource.uri, sized("a file", kind, blob.as_deref().unwrap_or_default()))
                }
            },
            Self::ResourceLink(ResourceLink { uri, name, description, .. }) => match description {
                Some(description) => format!("[{name}]({uri}): {description}"),
                None => format!("[{name}]({uri})"),
            },
        }
    }
}

/// Whether an address begins with a scheme (RFC 3986, section 3.1).
pub(crate) fn has_scheme(uri: &str) -> bool {
    uri.split_once(':').is_some_and(|(scheme, rest)| {
        !rest.is_empty()
            && scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    })
}

fn is_base64(text: &str) -> bool {
    STANDARD.decode(text).is_ok()
}

fn is_of(kind: &str, media_type: &str) -> bool {
    media_type.starts_with(kind) && is_media_type(media_type)
}

/// Whether a text is a media type, with or without parameters: `text/csv; charset=utf-8` (RFC 9110, section 8.3.1).
pub fn is_media_type(text: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte))
    };
    let (essence, parameters) = text.split_once(';').unwrap_or((text, " "));
    let is_shown = parameters.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    let words = essence.trim_end().split_once('/');
    text.len() <= 200 && is_shown && words.is_some_and(|(kind, subtype)| is_word(kind) && is_word(subtype))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_whole_and_sound_content_is_content() {
        let text = json!({ "type": "text", "text": "a" });
        let image = json!({ "type": "image", "data": "aGk=", "mimeType": "image/png" });
        let blob = json!({ "type": "resource", "resource": { "uri": "x://y", "blob": "aGk=" } });
        let link = json!({ "type": "resource_link", "uri": "notes://1", "name": "A note" });
        let all = json!({ "content": [text, image, blob, link] });
        let blocks = content_blocks(&all).expect("it is content");
        assert_eq!(json!({ "content": blocks }), all, "it is written as it was read");
        for data in [
            json!({ "content": [] }),
            json!({ "content": "text" }),
            json!({ "content": [text], "more": 1 }),
            json!({ "content": [text, { "type": "image", "data": "not base64!", "mimeType": "image/png" }] }),
            json!({ "content": [{ "type": "image", "data": "aGk=", "mimeType": "text/html" }] }),
            json!({ "content": [{ "type": "image", "data": "aGk=", "mimeType": "image/png\r\nx: y" }] }),
            json!({ "content": [{ "type": "resource", "resource": { "uri": "x://y", "blob": "!" } }] }),
            json!({ "content": [{ "type": "resource", "resource": { "uri": "x://y" } }] }),
            json!({ "content": [{ "type": "resource_link", "uri": "no address", "name": "A note" }] }),
            json!({ "content": vec![text.clone(); MAX_BLOCKS + 1] }),
        ] {
            assert!(content_blocks(&data).is_none(), "{data}");
        }
    }

    #[test]
    fn a_model_reads_texts_and_learns_of_the_rest() {
        let content = json!({ "content": [
            { "type": "text", "text": "Done." },
            { "type": "image", "data": "aGVsbG8h", "mimeType": "image/png" },
            { "type": "resource", "resource": { "uri": "notes://1", "text": "Milk" } },
            { "type": "resource_link", "uri": "https://example.com/1.pdf", "name": "The report" },
        ] });
        let words: Vec<_> =
            content_blocks(&content).expect("it is content").iter().map(ContentBlock::to_words).collect();
        let image = "[an image, image/png, 6 bytes: the user sees it, you do not]";
        assert_eq!(words, ["Done.", image, "[notes://1]\nMilk", "[The report](https://example.com/1.pdf)"]);
    }
}
