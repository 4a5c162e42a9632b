//! Mail: the headers that readers see, the text, and the names of what is attached.

use mail_parser::{Address, Message, MessageParser, MessagePart, MimeHeaders, PartType};

use crate::document::Document;
use crate::failure::{Failure, Stop};
use crate::html;
use crate::pages::{Pages, clean_name};
use crate::text;
use crate::writer::{Writer, escape};

/// Most bytes of a mail with all that is attached.
const MAX_MAIL: u64 = 64 * 1024 * 1024;
/// Most parts that say what they are, with mails inside of mails. The parser keeps each.
const MAX_PARTS: usize = 1000;
/// Most lines that can begin a part.
const MAX_BOUNDARIES: usize = 100_000;
/// Most lines that can be headers.
const MAX_HEADERS: usize = 500_000;
/// Most mails inside of each other that are read.
const MAX_DEPTH: usize = 5;
/// Most names of attachments, and most addresses of a header.
const MAX_NAMES: usize = 100;

/// Hands over a mail.
pub(crate) fn extract(document: &mut Document<'_>, pages: &mut Pages<'_>) -> Result<(), Stop> {
    let bytes = document.read_all(MAX_MAIL)?;
    bound_parts(&bytes)?;
    let mail = MessageParser::default().parse(&bytes).ok_or(Failure::damaged("The file is damaged: it is no mail."))?;
    let mut writer = Writer::new(pages);
    write_mail(&mail, 1, &mut writer)?;
    writer.end_part()
}

/// Counts what can begin a part before the parser takes memory for each of them.
fn bound_parts(bytes: &[u8]) -> Result<(), Failure> {
    let (mut parts, mut boundaries, mut headers) = (0, 0, 0);
    for line in bytes.split(|byte| *byte == b'\n') {
        let kind = line.get(..12).is_some_and(|name| name.eq_ignore_ascii_case(b"content-type"));
        parts += usize::from(kind);
        boundaries += usize::from(line.starts_with(b"--"));
        headers += usize::from(is_header(line));
    }
    let too_many = Err(Failure::too_large("The mail has more parts than a mail may have."));
    if parts > MAX_PARTS || boundaries > MAX_BOUNDARIES || headers > MAX_HEADERS { too_many } else { Ok(()) }
}

/// Whether a line begins with a word and a colon.
fn is_header(line: &[u8]) -> bool {
    let name = line.iter().take(100).position(|byte| matches!(byte, b':' | b' ' | b'\t'));
    name.is_some_and(|at| line[at] == b':')
}

fn write_headers(mail: &Message<'_>, depth: usize, writer: &mut Writer<'_, '_>) -> Result<(), Stop> {
    let subject = mail.subject().and_then(clean_name);
    if let Some(subject) = &subject {
        writer.pages.set_title(subject);
        writer.block(&format!("{} {}", "#".repeat(depth), escaped(subject)), true)?;
    }
    if let Some(from) = mail.from().and_then(Address::first) {
        writer.pages.set_author(from.name().or(from.address()).unwrap_or_default());
    }
    let mut lines = Vec::new();
    for (name, addresses) in [("From", mail.from()), ("To", mail.to()), ("Cc", mail.cc())] {
        let addresses = addresses.map(listed).unwrap_or_default();
        if !addresses.is_empty() {
            lines.push(format!("{name}: {}", escaped(&addresses)));
        }
    }
    lines.extend(mail.date().map(|date| format!("Date: {}", date.to_rfc3339())));
    writer.block(&lines.join("  \n"), false)
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    escape(text, &mut escaped);
    escaped
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

/// The text as it was written, or the HTML if there is no text. Each part that is shown is one of both lists.
fn write_body(mail: &Message<'_>, writer: &mut Writer<'_, '_>) -> Result<(), Stop> {
    let is_blank = |part: &&MessagePart<'_>| match &part.body {
        PartType::Text(text) | PartType::Html(text) => text.trim().is_empty(),
        _ => true,
    };
    let texts: Vec<&MessagePart<'_>> = mail.text_bodies().filter(|part| !is_blank(part)).collect();
    let parts = if texts.is_empty() { mail.html_bodies().collect() } else { texts };
    for part in parts {
        match &part.body {
            PartType::Text(text) => text::write_paragraphs(text, true, writer)?,
            PartType::Html(html) => {
                html::write(html, writer)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Writes a mail, and those that are attached to it.
fn write_mail(mail: &Message<'_>, depth: usize, writer: &mut Writer<'_, '_>) -> Result<(), Stop> {
    write_headers(mail, depth, writer)?;
    write_body(mail, writer)?;
    let names: Vec<String> =
        mail.attachments().filter(|part| part.message().is_none()).take(MAX_NAMES).map(name_of).collect();
    if !names.is_empty() {
        writer.block(&format!("Attachments: {}", escaped(&names.join(", "))), false)?;
        writer.pages.omit("Attachments are named, and left out.");
    }
    for attached in mail.attachments().filter_map(MessagePart::message) {
        if depth >= MAX_DEPTH {
            writer.pages.omit("Mails that are attached to attached mails are left out.");
            break;
        }
        write_mail(attached, depth + 1, writer)?;
    }
    Ok(())
}

fn name_of(part: &MessagePart<'_>) -> String {
    part.attachment_name().and_then(clean_name).unwrap_or_else(|| "without a name".into())
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
    fn an_attached_mail_is_read_and_no_text_comes_twice() {
        let mail = "From: a@example.org\nSubject: out\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\nouter\n> quoted\n\
            --x\nContent-Type: message/rfc822\n\nFrom: b@example.org\nSubject: in\n\ninner\n--x--\n";
        let pages = extract(mail.as_bytes(), "eml").expect("a mail").1;
        let expected = "# out\n\nFrom: a@example.org\n\nouter\n> quoted\n\n## in\n\nFrom: b@example.org\n\ninner";
        assert_eq!(pages[0].text, expected);
    }

    #[test]
    fn mails_inside_of_each_other_are_too_large() {
        let one = "From: a@example.org\nContent-Type: message/rfc822\n\n";
        let failure = extract(one.repeat(100_000).as_bytes(), "eml");
        assert_eq!(failure.map_err(|failure| failure.reason), Err(Reason::TooLarge));
        assert!(extract(format!("{}text", one.repeat(900)).as_bytes(), "eml").is_ok());
        let parts =
            format!("From: a@example.org\nContent-Type: multipart/mixed; boundary=x\n\n{}", "--x\n\n".repeat(200_000));
        let headers = "a:\n".repeat(1_000_000);
        for mail in [parts, headers] {
            assert_eq!(extract(mail.as_bytes(), "eml").map_err(|failure| failure.reason), Err(Reason::TooLarge));
        }
    }
}
