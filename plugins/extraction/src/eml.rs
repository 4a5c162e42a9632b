//! Mail: the headers that readers see, the text, and the names of what is attached.

use mail_parser::{Address, Message, MessageParser, MimeHeaders, PartType};

use crate::document::Document;
use crate::failure::{Failure, Stop};
use crate::html;
use crate::pages::{Pages, clean_name};
use crate::text;
use crate::writer::Writer;

/// Most bytes of a mail with all that is attached.
const MAX_MAIL: u64 = 64 * 1024 * 1024;
/// Most mails inside of a mail, and most parts of one. The parser keeps each.
const MAX_PARTS: usize = 1000;
/// Most names of attachments, and most addresses of a header.
const MAX_NAMES: usize = 100;

/// Hands over a mail.
pub(crate) fn extract(document: &mut Document<'_>, pages: &mut Pages<'_>) -> Result<(), Stop> {
    let bytes = document.read_all(MAX_MAIL)?;
    bound_parts(&bytes)?;
    let mail = MessageParser::default().parse(&bytes).ok_or(Failure::damaged("The file is damaged: it is no mail."))?;
    let mut writer = Writer::new(pages);
    write_headers(&mail, &mut writer)?;
    write_body(&mail, &mut writer)?;
    let names: Vec<String> = mail.attachments().take(MAX_NAMES).map(name_of).collect();
    if !names.is_empty() {
        writer.block(&format!("Attachments: {}", names.join(", ")), false)?;
        writer.pages.omit("Attachments are named, and left out.");
    }
    writer.end_part()
}

/// Counts what can begin a part before the parser takes memory for each of them.
fn bound_parts(bytes: &[u8]) -> Result<(), Failure> {
    let lines = bytes.split(|byte| *byte == b'\n');
    let begins = |line: &&[u8]| line.len() > 13 && line[..13].eq_ignore_ascii_case(b"content-type:");
    let parts = lines.filter(begins).count();
    let too_many = Err(Failure::too_large("The mail has more parts than a mail may have."));
    if parts > MAX_PARTS { too_many } else { Ok(()) }
}

fn write_headers(mail: &Message<'_>, writer: &mut Writer<'_, '_>) -> Result<(), Stop> {
    let subject = mail.subject().and_then(clean_name);
    if let Some(subject) = &subject {
        writer.pages.set_title(subject);
        writer.block(&format!("# {subject}"), true)?;
    }
    if let Some(from) = mail.from().and_then(Address::first) {
        writer.pages.set_author(from.name().or(from.address()).unwrap_or_default());
    }
    let mut lines = Vec::new();
    for (name, addresses) in [("From", mail.from()), ("To", mail.to()), ("Cc", mail.cc())] {
        let addresses = addresses.map(listed).unwrap_or_default();
        if !addresses.is_empty() {
            lines.push(format!("{name}: {addresses}"));
        }
    }
    lines.extend(mail.date().map(|date| format!("Date: {}", date.to_rfc3339())));
    writer.block(&lines.join("  \n"), false)
}

fn listed(addresses: &Address<'_>) -> String {
    let each = addresses.iter().take(MAX_NAMES).filter_map(|address| {
        let (name, address) = (address.name().and_then(clean_name), address.address().and_then(clean_name));
        match (name, address) {
            (Some(name), Some(address)) if name != address => Some(format!("{name} ({address})")),
            (name, address) => name.or(address),
        }
    });
    each.collect::<Vec<_>>().join(", ")
}

/// The text as it was written, or the HTML if there is no text.
fn write_body(mail: &Message<'_>, writer: &mut Writer<'_, '_>) -> Result<(), Stop> {
    let mut has_text = false;
    for part in mail.text_bodies().chain(mail.html_bodies()) {
        match &part.body {
            PartType::Text(text) if !text.trim().is_empty() => {
                has_text = true;
                text::write_paragraphs(text, writer)?;
            }
            PartType::Html(html) if !has_text => {
                html::write(html, writer)?;
                has_text = true;
            }
            _ => {}
        }
        if has_text && matches!(part.body, PartType::Html(_)) {
            break;
        }
    }
    Ok(())
}

fn name_of(part: &mail_parser::MessagePart<'_>) -> String {
    let subject = part.message().and_then(Message::subject);
    part.attachment_name().or(subject).and_then(clean_name).unwrap_or_else(|| "without a name".into())
}

#[cfg(test)]
mod tests {
    use crate::failure::Reason;
    use crate::testing::extract;

    const MAIL: &str = "From: =?utf-8?q?J=C3=BCrgen?= <j@example.org>\r\nTo: a@example.org, Bob <b@example.org>\r\n\
        Subject: Hello\u{7}\r\n world\r\nDate: Sat, 20 Nov 2021 14:22:01 -0800\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: multipart/alternative; boundary=y\r\n\r\n\
        --y\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
        Gr=FC=DFe\r\n\r\nsecond\r\n--y\r\nContent-Type: text/html\r\n\r\n<p>Gr&uuml;&szlig;e in HTML\r\n--y--\r\n\
        --x\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=\"a\u{1}b.pdf\"\r\n\r\n%PDF\r\n\
        --x--\r\n";

    #[test]
    fn a_mail_is_its_headers_its_text_and_the_names_of_attachments() {
        let (summary, pages) = extract(MAIL.as_bytes(), "eml").expect("a mail");
        assert_eq!(summary.format, "eml");
        assert_eq!((summary.title.as_deref(), summary.author.as_deref()), (Some("Hello world"), Some("Jürgen")));
        let expected = "# Hello world\n\nFrom: Jürgen (j@example.org)  \nTo: a@example.org, Bob (b@example.org)  \n\
            Date: 2021-11-20T14:22:01-08:00\n\nGrüße\n\nsecond\n\nAttachments: a b.pdf";
        assert_eq!(pages[0].text, expected);
        assert_eq!(summary.omitted, ["Attachments are named, and left out."]);
    }

    #[test]
    fn a_mail_in_html_is_read() {
        let mail = "From: a@example.org\nSubject: x\nContent-Type: text/html\n\n<h2>Head</h2><p>text";
        assert_eq!(
            extract(mail.as_bytes(), "").expect("a mail").1[0].text,
            "# x\n\nFrom: a@example.org\n\n## Head\n\ntext"
        );
    }

    #[test]
    fn mails_inside_of_each_other_are_too_large() {
        let one = "From: a@example.org\nContent-Type: message/rfc822\n\n";
        let failure = extract(one.repeat(100_000).as_bytes(), "eml");
        assert_eq!(failure.map_err(|failure| failure.reason), Err(Reason::TooLarge));
        assert!(extract(format!("{}text", one.repeat(900)).as_bytes(), "eml").is_ok());
    }
}
