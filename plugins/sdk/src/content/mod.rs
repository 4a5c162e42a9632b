//! A result that is more than data: texts, images, sounds, links and files.

mod base64;
pub(crate) mod media_type;

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::ser::Error as _;
use serde::{Serialize, Serializer};

use self::base64::base64;
use self::media_type::{is_media_type, shown};

/// Blocks that a result may have.
const MAX_BLOCKS: usize = 100;

/// A result of texts, images, sounds, links and files, in this order for whoever reads it: 1 to 100 blocks. A tool that returns it has no
/// schema of its result.
///
/// ```
/// use behalf_sdk::Content;
///
/// let garden = Content::new().text("Your garden.").image("image/png", &[1, 2, 3]);
/// let written = serde_json::to_value(&garden).unwrap();
/// assert_eq!(written["content"][1]["data"], "AQID");
/// ```
///
/// A wrong media type, no block and too many of them make the call fail when its result is written. The message says which block is wrong.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use = "a content does something only where it is a tool's result"]
pub struct Content {
    blocks: Vec<Block>,
    /// What is wrong with the first block that cannot be written.
    fault: Option<String>,
}

/// A block in the shape of MCP.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Text {
        text: String,
    },
    Image {
        data: String,
        #[serde(rename = "mimeType")]
        media_type: String,
    },
    Audio {
        data: String,
        #[serde(rename = "mimeType")]
        media_type: String,
    },
    ResourceLink {
        uri: String,
        name: String,
        #[serde(rename = "mimeType", skip_serializing_if = "Option::is_none")]
        media_type: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<String>,
    },
    Resource {
        resource: File,
    },
}

/// A file has a text or bytes.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct File {
    uri: String,
    #[serde(rename = "mimeType")]
    media_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blob: Option<String>,
}

impl Content {
    /// A content without a block.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text.
    pub fn text(self, text: impl Into<String>) -> Self {
        self.with(Block::Text { text: text.into() })
    }

    /// Adds an image. Its media type begins with `image/`.
    pub fn image(self, media_type: &str, bytes: &[u8]) -> Self {
        let block = Block::Image { data: base64(bytes), media_type: media_type.to_owned() };
        self.checked("an image", media_type, Some("image/")).with(block)
    }

    /// Adds a sound. Its media type begins with `audio/`.
    pub fn audio(self, media_type: &str, bytes: &[u8]) -> Self {
        let block = Block::Audio { data: base64(bytes), media_type: media_type.to_owned() };
        self.checked("a sound", media_type, Some("audio/")).with(block)
    }

    /// Adds a link to what the caller can read.
    pub fn link(self, uri: impl Into<String>, name: impl Into<String>) -> Self {
        self.link_of(uri, name, None, None)
    }

    /// Adds a link, and says what is behind it: a media type, a description, or both.
    pub fn link_of<'a>(
        self,
        uri: impl Into<String>,
        name: impl Into<String>,
        media_type: impl Into<Option<&'a str>>,
        description: impl Into<Option<&'a str>>,
    ) -> Self {
        let (uri, media_type) = (uri.into(), media_type.into());
        let mut checked = match media_type {
            Some(media_type) => self.checked("a link", media_type, None),
            None => self,
        };
        if !has_scheme(&uri) && checked.fault.is_none() {
            let (number, given) = (checked.blocks.len() + 1, shown(&uri));
            checked.fault = Some(format!("block {number} is a link, and {given} has no scheme, as in https://a.test"));
        }
        checked.with(Block::ResourceLink {
            uri,
            name: name.into(),
            media_type: media_type.map(str::to_owned),
            description: description.into().map(str::to_owned),
        })
    }

    /// Adds a file with a text.
    pub fn file(self, uri: impl Into<String>, media_type: &str, text: impl Into<String>) -> Self {
        self.with_file(uri.into(), media_type, Some(text.into()), None)
    }

    /// Adds a file with bytes.
    pub fn file_bytes(self, uri: impl Into<String>, media_type: &str, bytes: &[u8]) -> Self {
        self.with_file(uri.into(), media_type, None, Some(base64(bytes)))
    }

    fn with_file(self, uri: String, media_type: &str, text: Option<String>, blob: Option<String>) -> Self {
        let resource = File { uri, media_type: media_type.to_owned(), text, blob };
        self.checked("a file", media_type, None).with(Block::Resource { resource })
    }

    fn with(mut self, block: Block) -> Self {
        self.blocks.push(block);
        self
    }

    /// Takes note of the next block's media type, if it is wrong.
    fn checked(mut self, what: &str, media_type: &str, begin: Option<&str>) -> Self {
        let fits = is_media_type(media_type) && begin.is_none_or(|begin| media_type.starts_with(begin));
        if !fits && self.fault.is_none() {
            let (number, given) = (self.blocks.len() + 1, shown(media_type));
            let wanted =
                begin.map_or_else(|| ", as in text/markdown".to_owned(), |it| format!(" that begins with {it}"));
            self.fault = Some(format!("block {number} is {what}, and {given} is not a media type{wanted}"));
        }
        self
    }
}

fn has_scheme(uri: &str) -> bool {
    let of_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+.-".contains(&byte);
    uri.starts_with(|first: char| first.is_ascii_alphabetic())
        && uri.split_once(':').is_some_and(|(scheme, rest)| !rest.is_empty() && scheme.bytes().all(of_scheme))
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Written<'a> {
            content: &'a [Block],
        }

        match (&self.fault, self.blocks.len()) {
            (Some(fault), _) => Err(S::Error::custom(fault)),
            (None, 0) => Err(S::Error::custom("the content has no block; add at least a text")),
            (None, 1..=MAX_BLOCKS) => Written { content: &self.blocks }.serialize(serializer),
            (None, many) => Err(S::Error::custom(format_args!(
                "the content has {many} blocks, and at most {MAX_BLOCKS} are allowed"
            ))),
        }
    }
}

/// It says nothing: a result with an output schema is data.
#[cfg(feature = "macros")]
impl schemars::JsonSchema for Content {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> alloc::borrow::Cow<'static, str> {
        "Content".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        true.into()
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use serde_json::{Value, json};

    use super::*;

    fn written(content: &Content) -> Value {
        serde_json::to_value(content).expect("content is JSON")
    }

    fn fault(content: &Content) -> String {
        serde_json::to_string(content).expect_err("an error").to_string()
    }

    #[test]
    fn every_block_is_written_as_mcp_has_it() {
        let content = Content::new()
            .text("one")
            .image("image/png", &[0, 255])
            .audio("audio/wav", &Vec::from([1]))
            .link("https://a.test", "Report")
            .link_of("https://b.test", "Other", "text/html; charset=utf-8", "More.")
            .file("notes://1", "text/markdown", "# two")
            .file_bytes("x://y", "application/pdf", b"%PDF");
        let blocks = json!([
            {"type": "text", "text": "one"},
            {"type": "image", "data": "AP8=", "mimeType": "image/png"},
            {"type": "audio", "data": "AQ==", "mimeType": "audio/wav"},
            {"type": "resource_link", "uri": "https://a.test", "name": "Report"},
            {
                "type": "resource_link", "uri": "https://b.test", "name": "Other",
                "mimeType": "text/html; charset=utf-8", "description": "More.",
            },
            {"type": "resource", "resource": {"uri": "notes://1", "mimeType": "text/markdown", "text": "# two"}},
            {"type": "resource", "resource": {"uri": "x://y", "mimeType": "application/pdf", "blob": "JVBERg=="}},
        ]);
        assert_eq!(written(&content), json!({"content": blocks}));
    }

    #[test]
    fn a_wrong_media_type_is_told_by_its_block() {
        let begun = || Content::new().text("one");
        for (content, sentence) in [
            (
                begun().image("text/plain", &[]),
                "block 2 is an image, and \"text/plain\" is not a media type that begins with image/",
            ),
            (begun().audio("wav", &[]), "block 2 is a sound, and \"wav\" is not a media type that begins with audio/"),
            (begun().file("x://y", "", "text"), "block 2 is a file, and \"\" is not a media type, as in text/markdown"),
            (
                begun().link_of("x://y", "y", "html", None),
                "block 2 is a link, and \"html\" is not a media type, as in text/markdown",
            ),
            (
                begun().link("report.pdf", "y"),
                "block 2 is a link, and \"report.pdf\" has no scheme, as in https://a.test",
            ),
        ] {
            assert_eq!(fault(&content), sentence);
            // Nothing after it makes it right, and the first one is told.
            assert_eq!(fault(&content.text("two").image("x", &[])), sentence);
        }
    }

    #[test]
    fn a_content_has_1_to_100_blocks() {
        assert!(fault(&Content::new()).contains("no block"));
        let mut content = Content::new();
        for _ in 0..100 {
            content = content.text("");
        }
        assert_eq!(written(&content)["content"].as_array().map(Vec::len), Some(100));
        assert!(fault(&content.text("")).contains("has 101 blocks, and at most 100"));
    }
}
