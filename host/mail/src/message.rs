//! A letter as it is sent.

use lettre::Address;
use lettre::address::Envelope;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, Message, MultiPart, SinglePart};
use uuid::Uuid;

use crate::letter::Letter;
use crate::options::MailError;
use crate::templates::{Content, Templates};

/// A letter that can be sent.
#[derive(Clone, Debug)]
pub(crate) struct Mailing {
    pub(crate) envelope: Envelope,
    pub(crate) bytes: Vec<u8>,
}

/// Makes letters.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    from: Mailbox,
    templates: Templates,
}

impl Writer {
    /// Letters of this sender.
    pub(crate) fn new(from: &str, templates: Templates) -> Result<Self, MailError> {
        let from = from.parse().map_err(|_| {
            MailError::option("the sender of letters is no address; use the form My App <no-reply@app.example>")
        })?;
        Ok(Self { from, templates })
    }

    /// The domain of the sender's address.
    pub(crate) fn domain(&self) -> &str {
        self.from.email.domain()
    }

    /// The letter with its headers; `None` where there is no such address.
    pub(crate) fn write(&self, letter: &Letter) -> Option<Mailing> {
        // The address alone, without a name: nothing else that a user chose becomes a header.
        let to: Address = letter.to.parse().ok()?;
        let Content { subject, plain, html } = self.templates.render(letter)?;
        let id = format!("<{}@{}>", Uuid::new_v4(), self.domain());
        let generated = HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned());
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(subject)
            .message_id(Some(id))
            .raw_header(generated);
        let plain = plain.map(|text| SinglePart::builder().header(ContentType::TEXT_PLAIN).body(encode(text)));
        let html = html.map(|text| SinglePart::builder().header(ContentType::TEXT_HTML).body(encode(text)));
        let message = match (plain, html) {
            (Some(plain), Some(html)) => message.multipart(MultiPart::alternative().singlepart(plain).singlepart(html)),
            (Some(part), None) | (None, Some(part)) => message.singlepart(part),
            (None, None) => return None,
        };
        let message = message.ok()?;
        Some(Mailing { envelope: message.envelope().clone(), bytes: message.formatted() })
    }
}

/// The text as it is, where mail servers let it pass: then links are whole in the letters of a folder. lettre would encode lines of
/// more than 76 characters.
fn encode(text: String) -> Body {
    /// RFC 5322, section 2.1.1.
    const MAX_LINE: usize = 998;
    let fits = text.is_ascii() && !text.contains('\0') && text.lines().all(|line| line.len() <= MAX_LINE);
    if !fits {
        return Body::new(text);
    }
    let lines = text.replace("\r\n", "\n").replace('\r', " ").replace('\n', "\r\n");
    Body::dangerous_pre_encoded(lines.into_bytes(), ContentTransferEncoding::SevenBit)
}
