//! A text with places for values, as Go's templates write them: `{{ .Token }}`. Only the names of Supabase's letters are
//! known. There are no conditions, loops or functions.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::letter::Letter;

/// Characters of a value of `user_metadata` that are written.
const MAX_DATA: usize = 1_000;
/// What may stand in a part of an address without an escape.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What may stand nowhere in an address.
const NOT_IN_URL: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'\'').add(b'<').add(b'>').add(b'`').add(b'\\');
/// The names, for messages.
const NAMES: &str =
    ".ConfirmationURL, .Token, .TokenHash, .SiteURL, .RedirectTo, .Email, .NewEmail, .SendingTo, .Data.name";
/// Attributes that hold an address.
const URL_ATTRIBUTES: [&str; 6] = ["href", "src", "action", "formaction", "background", "cite"];

/// The form of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Plain,
    Html,
}

/// What stands in a place.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    ConfirmationUrl,
    Token,
    TokenHash,
    SiteUrl,
    RedirectTo,
    Email,
    NewEmail,
    SendingTo,
    Data(Vec<String>),
}

/// How a value has to be escaped where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Plain,
    Html,
    /// The beginning of an address in an attribute.
    UrlStart,
    /// Within an address, before its query.
    UrlPath,
    /// In the query of an address.
    UrlQuery,
}

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Value(Name, Place),
}

/// A template that was read.
#[derive(Clone, Debug)]
pub(crate) struct Template(Vec<Piece>);

impl Template {
    /// Reads a template. The error says what is wrong and in which line.
    pub(crate) fn parse(text: &str, form: Form) -> Result<Self, String> {
        let (mut pieces, mut before, mut rest) = (Vec::new(), String::new(), text);
        while let Some((plain, after)) = rest.split_once("{{") {
            pieces.push(Piece::Text(plain.to_owned()));
            before.push_str(plain);
            let line = before.matches('\n').count() + 1;
            let fault = |what: String| format!("line {line}: {what}");
            let (inside, after) = after.split_once("}}").ok_or_else(|| fault("{{ without }}".to_owned()))?;
            let name = Name::parse(inside.trim()).ok_or_else(|| {
                let inside = inside.trim();
                fault(format!("{{{{ {inside} }}}} is not known; there are {NAMES}, and no conditions"))
            })?;
            let place = match form {
                Form::Plain => Place::Plain,
                Form::Html => Place::in_html(&before).map_err(fault)?,
            };
            pieces.push(Piece::Value(name, place));
            // Something that is no markup, so that the next place is found behind it.
            before.push('x');
            rest = after;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Self(pieces))
    }

    /// The text of a letter.
    pub(crate) fn render(&self, letter: &Letter) -> String {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(plain) => text.push_str(plain),
                Piece::Value(name, place) => text.push_str(&place.escape(name, &name.value(letter))),
            }
        }
        text
    }
}

impl Name {
    fn parse(text: &str) -> Option<Self> {
        Some(match text.strip_prefix('.')? {
            "ConfirmationURL" => Self::ConfirmationUrl,
            "Token" => Self::Token,
            "TokenHash" => Self::TokenHash,
            "SiteURL" => Self::SiteUrl,
            "RedirectTo" => Self::RedirectTo,
            "Email" => Self::Email,
            "NewEmail" => Self::NewEmail,
            "SendingTo" => Self::SendingTo,
            data => {
                let path: Vec<_> = data.strip_prefix("Data.")?.split('.').map(str::to_owned).collect();
                let is_name = |part: &String| {
                    !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
                };
                return path.iter().all(is_name).then_some(Self::Data(path));
            }
        })
    }

    fn value<'a>(&self, letter: &'a Letter) -> Cow<'a, str> {
        match self {
            Self::ConfirmationUrl => letter.confirmation_url.as_deref().unwrap_or_default().into(),
            Self::Token => letter.token.as_str().into(),
            Self::TokenHash => letter.token_hash.as_str().into(),
            Self::SiteUrl => letter.site_url.as_str().into(),
            Self::RedirectTo => letter.redirect_to.as_str().into(),
            Self::Email => letter.email.as_str().into(),
            Self::NewEmail => letter.new_email.as_deref().unwrap_or_default().into(),
            Self::SendingTo => letter.to.as_str().into(),
            Self::Data(path) => data(&letter.data, path),
        }
    }
}

/// A value of `user_metadata`: a text, a number or a truth value; empty where it is anything else.
fn data<'a>(value: &'a Value, path: &[String]) -> Cow<'a, str> {
    match path.iter().try_fold(value, |value, name| value.get(name)) {
        Some(Value::String(text)) => match text.char_indices().nth(MAX_DATA) {
            Some((end, _)) => text.get(..end).unwrap_or_default().into(),
            None => text.as_str().into(),
        },
        Some(scalar @ (Value::Number(_) | Value::Bool(_))) => scalar.to_string().into(),
        _ => "".into(),
    }
}

impl Place {
    /// The place behind this much of a page.
    fn in_html(before: &str) -> Result<Self, String> {
        let Some(tag) = before.rfind('<').and_then(|start| before.get(start..)).filter(|tag| !tag.contains('>')) else {
            return Ok(Self::Html);
        };
        let mut quote = None;
        for (at, c) in tag.char_indices() {
            match quote {
                None if c == '"' || c == '\'' => quote = Some((c, at)),
                Some((open, _)) if c == open => quote = None,
                _ => {}
            }
        }
        let (_, at) = quote.ok_or("a value within a tag has to stand in quotes")?;
        let value = tag.get(at + 1..).unwrap_or_default().trim_start();
        let name = tag.get(..at).unwrap_or_default().trim_end().trim_end_matches('=').trim_end();
        let name = name.rsplit(|c: char| c.is_whitespace()).next().unwrap_or_default().to_lowercase();
        Ok(match value {
            _ if name.starts_with("on") || name == "style" => {
                return Err(format!("no value can stand in the attribute {name}"));
            }
            _ if !URL_ATTRIBUTES.contains(&name.as_str()) => Self::Html,
            "" => Self::UrlStart,
            value if value.contains(['?', '#']) => Self::UrlQuery,
            _ => Self::UrlPath,
        })
    }

    fn escape<'a>(self, name: &Name, value: &'a str) -> Cow<'a, str> {
        match self {
            Self::Plain => one_line(value),
            Self::Html => escape_html(value).into(),
            // What users choose may lead to a page, and start no program.
            Self::UrlStart if matches!(name, Name::Data(_)) && !is_page(value) => "#".into(),
            Self::UrlStart | Self::UrlPath => escape_html(&utf8_percent_encode(value, NOT_IN_URL).to_string()).into(),
            Self::UrlQuery => utf8_percent_encode(value, UNRESERVED).to_string().into(),
        }
    }
}

fn is_page(value: &str) -> bool {
    ["https://", "http://", "mailto:"]
        .iter()
        .any(|scheme| value.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
}

/// Without line breaks: no value makes a paragraph or a header of its own.
pub(crate) fn one_line(value: &str) -> Cow<'_, str> {
    if value.contains(char::is_control) { value.replace(char::is_control, " ").into() } else { value.into() }
}

fn escape_html(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&#34;"),
            '\'' => text.push_str("&#39;"),
            '\0' => text.push('\u{fffd}'),
            c => text.push(c),
        }
    }
    text
}
