//! A letter as it is sent.

use lettre::Address;
use lettre::address::Envelope;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart, SinglePart};
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
        let message = match (plain, html) {
            (Some(plain), Some(html)) => message.multipart(MultiPart::alternative_plain_html(plain, html)),
            (plain, Some(html)) if plain.is_none() => {
                message.singlepart(SinglePart::builder().header(ContentType::TEXT_HTML).body(html))
            }
            (plain, _) => message.singlepart(SinglePart::plain(plain.unwrap_or_default())),
        };
        let message = message.ok()?;
        Some(Mailing { envelope: message.envelope().clone(), bytes: message.formatted() })
    }
}
