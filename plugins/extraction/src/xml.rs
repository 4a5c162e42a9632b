//! XML as a stream. Nothing is expanded: an entity that a document declares stays what is written.

use std::borrow::Cow;
use std::io::{self, BufRead, Cursor, Read};

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

use crate::failure::{Failure, failure_in};
use crate::unpack::{Archive, kept};

/// Most elements inside of each other. Documents have about a hundred at most.
const MAX_DEPTH: usize = 1000;
/// Most bytes of one tag or one text between tags.
const MAX_TOKEN: usize = 8 * 1024 * 1024;
/// Most bytes of an attribute that is looked at.
const MAX_ATTRIBUTE: usize = 2 * 1024;
/// Most bytes of an element's name. The names of all open elements are kept.
const MAX_NAME: usize = 256;

const DAMAGED: Failure = Failure::damaged("The file is damaged: its content is no valid XML.");

/// What comes next in a stream of XML.
pub(crate) enum Node<'x> {
    /// An element begins.
    Open(Element<'x>),
    /// The element of this local name ends.
    Close(Cow<'x, str>),
    /// Text, without references.
    Text(Cow<'x, str>),
    /// A comment, a declaration or a processing instruction.
    Other,
    /// The stream ends.
    End,
}

/// The begin of an element.
pub(crate) struct Element<'x>(BytesStart<'x>);

impl Element<'_> {
    /// The name without the prefix.
    pub(crate) fn name(&self) -> &str {
        local(self.0.name().into_inner())
    }

    /// The value of the first attribute of this name, whatever its prefix is.
    pub(crate) fn attribute(&self, name: &str) -> Option<String> {
        self.find(|key| local(key) == name)
    }

    /// The value of the first attribute of this name that has a prefix, such as `r:id` beside `id`.
    pub(crate) fn prefixed(&self, name: &str) -> Option<String> {
        self.find(|key| key.contains(':') && local(key) == name)
    }

    /// The value of an attribute as a number.
    pub(crate) fn number(&self, name: &str) -> Option<usize> {
        self.attribute(name)?.trim().parse().ok()
    }

    fn find(&self, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let mut attributes = self.0.attributes();
        // Without the check for two attributes of one name, whose cost grows with the square of their number.
        let attributes = attributes.with_checks(false);
        let found = attributes.flatten().find(|attribute| wanted(attribute.key.into_inner()))?;
        if found.value.len() > MAX_ATTRIBUTE {
            return None;
        }
        Some(quick_xml::escape::unescape(&found.value).map_or_else(|_| found.value.to_string(), Cow::into_owned))
    }
}

/// A reader of one XML file.
pub(crate) struct Xml<'r> {
    reader: Reader<Tokens<'r>>,
    buffer: Vec<u8>,
    depth: usize,
}

impl<'r> Xml<'r> {
    /// Reads UTF-8, or UTF-16 where the first bytes say so.
    pub(crate) fn new(mut input: impl BufRead + 'r) -> Result<Self, Failure> {
        let head = input.fill_buf().map_err(|error| failure_in(&error))?;
        let utf16 = match head {
            [0xff, 0xfe, ..] | [b'<', 0, ..] => Some(encoding_rs::UTF_16LE),
            [0xfe, 0xff, ..] | [0, b'<', ..] => Some(encoding_rs::UTF_16BE),
            _ => None,
        };
        let inner: Box<dyn BufRead + 'r> = match utf16 {
            Some(encoding) => {
                let bytes = kept(input)?;
                Box::new(Cursor::new(encoding.decode(&bytes).0.into_owned()))
            }
            None => Box::new(input),
        };
        let mut reader = Reader::from_reader(Tokens { inner, used: 0 });
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.check_end_names = false;
        config.allow_unmatched_ends = true;
        Ok(Self { reader, buffer: Vec::new(), depth: 0 })
    }

    /// The next node.
    pub(crate) fn next(&mut self) -> Result<Node<'_>, Failure> {
        self.buffer.clear();
        self.reader.get_mut().used = 0;
        let event = self.reader.read_event_into(&mut self.buffer).map_err(|error| match error {
            quick_xml::Error::Io(error) => failure_in(error.as_ref()),
            _ => DAMAGED,
        })?;
        Ok(match event {
            Event::Start(_) if self.depth >= MAX_DEPTH => {
                return Err(Failure::damaged("The file is damaged: its content is nested too deeply."));
            }
            Event::Start(start) if start.name().into_inner().len() > MAX_NAME => return Err(DAMAGED),
            Event::Start(start) => {
                self.depth += 1;
                Node::Open(Element(start))
            }
            Event::End(end) => {
                self.depth = self.depth.saturating_sub(1);
                Node::Close(Cow::Owned(local(end.name().into_inner()).into()))
            }
            Event::Text(text) => Node::Text(text.xml10_content()),
            Event::CData(text) => Node::Text(text.xml10_content()),
            Event::GeneralRef(reference) => Node::Text(resolved(&reference).into()),
            Event::Eof => Node::End,
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => Node::Other,
        })
    }

    /// Reads to the end of the element that was opened last.
    pub(crate) fn skip(&mut self) -> Result<(), Failure> {
        self.text(0).map(drop)
    }

    /// Reads to the end of the element that was opened last, and gives all text inside of it, at most `most` bytes.
    pub(crate) fn text(&mut self, most: usize) -> Result<String, Failure> {
        let outside = self.depth.saturating_sub(1);
        let mut all = String::new();
        loop {
            let closes = match self.next()? {
                Node::End => return Ok(all),
                Node::Close(_) => true,
                Node::Text(text) if all.len() + text.len() <= most => {
                    all.push_str(&text);
                    false
                }
                _ => false,
            };
            if closes && self.depth <= outside {
                return Ok(all);
            }
        }
    }
}

/// Opens an entry of a zip file as XML; nothing if there is no such entry.
pub(crate) fn entry<'z>(archive: &'z mut Archive<'_>, name: &str) -> Result<Option<Xml<'z>>, Failure> {
    archive.entry(name)?.map(Xml::new).transpose()
}

/// Counts the bytes since the last event, so that none of them fills the memory.
struct Tokens<'r> {
    inner: Box<dyn BufRead + 'r>,
    used: usize,
}

impl Read for Tokens<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer)
    }
}

impl BufRead for Tokens<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.used > MAX_TOKEN {
            return Err(Failure::too_large("A part of the file is larger than a document's parts may be.").into());
        }
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.used += amount;
        self.inner.consume(amount);
    }
}

/// A character that is written as a reference. One that the document declares on its own stays as it is written.
fn resolved(reference: &BytesRef<'_>) -> String {
    if let Ok(Some(character)) = reference.resolve_char_ref() {
        return character.into();
    }
    match quick_xml::escape::resolve_predefined_entity(reference) {
        Some(text) => text.into(),
        None => format!("&{};", &**reference),
    }
}

fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}
