//! The templates of all kinds of letters: those of this crate, and an operator's in their place.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::Path;

use crate::letter::{Letter, LetterKind};
use crate::options::MailError;
use crate::template::{Form, Template, one_line};

/// Characters of a subject.
const MAX_SUBJECT: usize = 200;
/// Bytes of a template file.
const MAX_FILE: u64 = 512 * 1024;

/// The own templates of a kind: subject, text and page.
macro_rules! own {
    ($kind:literal) => {
        [
            include_str!(concat!("../templates/", $kind, ".subject.txt")),
            include_str!(concat!("../templates/", $kind, ".txt")),
            include_str!(concat!("../templates/", $kind, ".html")),
        ]
    };
}

fn own(kind: LetterKind) -> [&'static str; 3] {
    match kind {
        LetterKind::Confirmation => own!("confirmation"),
        LetterKind::MagicLink => own!("magic_link"),
        LetterKind::Recovery => own!("recovery"),
        LetterKind::Invite => own!("invite"),
        LetterKind::EmailChange => own!("email_change"),
        LetterKind::Reauthentication => own!("reauthentication"),
    }
}

/// The templates of one kind; at least one of the two parts is there.
#[derive(Clone, Debug)]
struct OfKind {
    subject: Template,
    plain: Option<Template>,
    html: Option<Template>,
}

/// What a letter says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) subject: String,
    pub(crate) plain: Option<String>,
    pub(crate) html: Option<String>,
}

/// The templates of all kinds.
#[derive(Clone, Debug)]
pub(crate) struct Templates(HashMap<LetterKind, OfKind>);

impl Templates {
    /// Reads the templates, those in `folder` first. A file that cannot be used is an error.
    pub(crate) fn read(folder: Option<&Path>) -> Result<Self, MailError> {
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            return Err(MailError::option(format!("{} is no folder with templates", folder.display())));
        }
        let mut all = HashMap::new();
        for kind in LetterKind::ALL {
            all.insert(kind, OfKind::read(kind, folder)?);
        }
        Ok(Self(all))
    }

    /// What a letter says.
    pub(crate) fn render(&self, letter: &Letter) -> Option<Content> {
        let OfKind { subject, plain, html } = self.0.get(&letter.kind)?;
        let render = |template: &Option<Template>| template.as_ref().map(|template| template.render(letter));
        let subject = subject.render(letter);
        let subject = one_line(subject.trim()).chars().take(MAX_SUBJECT).collect();
        Some(Content { subject, plain: render(plain), html: render(html) })
    }
}

impl OfKind {
    fn read(kind: LetterKind, folder: Option<&Path>) -> Result<Self, MailError> {
        let name = kind.as_str();
        let read = |ending: &str, form| match folder {
            Some(folder) => file(&folder.join(format!("{name}{ending}")), form),
            None => Ok(None),
        };
        let [subject, plain, html] = own(kind);
        let parse =
            |text, form| Template::parse(text, form).map_err(|fault| MailError::option(format!("{name}: {fault}")));
        let subject = match read(".subject.txt", Form::Plain)? {
            Some(subject) => subject,
            None => parse(subject, Form::Plain)?,
        };
        match (read(".txt", Form::Plain)?, read(".html", Form::Html)?) {
            (None, None) => {
                let (plain, html) = (Some(parse(plain, Form::Plain)?), Some(parse(html, Form::Html)?));
                Ok(Self { subject, plain, html })
            }
            // The other part would say something else.
            (plain, html) => Ok(Self { subject, plain, html }),
        }
    }
}

/// A template of the operator's, if the file is there.
fn file(path: &Path, form: Form) -> Result<Option<Template>, MailError> {
    let fault = |what: String| MailError::option(format!("{}: {what}", path.display()));
    match std::fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Ok(file) if file.len() > MAX_FILE => return Err(fault(format!("it has more than {MAX_FILE} bytes"))),
        _ => {}
    }
    let text = std::fs::read_to_string(path).map_err(|error| fault(format!("cannot be read ({})", error.kind())))?;
    Template::parse(&text, form).map(Some).map_err(fault)
}
