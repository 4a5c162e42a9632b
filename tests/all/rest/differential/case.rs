//! Requests as data: the files of `tests/rest/cases`, whose format `tests/rest/README.md` describes.

use std::path::Path;

use reqwest::Method;

/// The settings that both servers run with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Profile {
    /// Everything that can be switched on is on.
    Full,
    /// Two rows at most, a function before each request, and everything that can be switched off is off.
    Limited,
}

/// The sender of a request, by the name that the files use.
pub(super) const SENDERS: [&str; 10] =
    ["alice", "bob", "anon", "service", "nobody", "forged", "expired", "unknown_role", "no_role", "garbage"];

/// What of the two answers is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    /// Everything; the order of rows only where the request asks for one.
    Whole,
    /// Status, content type, and the names in the description of the interface.
    OpenApi,
    /// Status, content type, and whether the body is JSON: plans tell costs.
    Shape,
}

/// How a later version of the peer answers, as its list of changes or its documentation says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Newer {
    /// The row of the README that says what changed.
    pub id: String,
    /// Its status.
    pub status: u16,
    /// The member `code` of its error.
    pub code: Option<String>,
}

/// One request, and what the peer is known to answer.
#[derive(Clone, Debug)]
pub(super) struct Case {
    /// File and line, or the number of a generated request.
    pub place: String,
    /// The settings of the servers.
    pub profile: Profile,
    /// The method.
    pub method: Method,
    /// Path and query, encoded.
    pub path: String,
    /// One of [`SENDERS`].
    pub sender: String,
    /// Headers in the order of the file.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<Vec<u8>>,
    /// What is compared.
    pub comparison: Comparison,
    /// The peer's status; generated requests have none.
    pub status: Option<u16>,
    /// The member `code` of the peer's error.
    pub code: Option<String>,
    /// A later version's answer.
    pub newer: Option<Newer>,
    /// The row of the README that says why the host answers otherwise.
    pub differs: Option<String>,
}

impl Case {
    /// A request whose answer nobody has written down.
    pub(super) fn new(place: String, method: Method, path: &str, sender: &str) -> Self {
        Self {
            place,
            profile: Profile::Full,
            method,
            path: encode(path),
            sender: sender.to_owned(),
            headers: Vec::new(),
            body: None,
            comparison: Comparison::Whole,
            status: None,
            code: None,
            newer: None,
            differs: None,
        }
    }

    /// Whether it may change rows; then it asks for a rollback.
    pub(super) fn writes(&self) -> bool {
        !matches!(self.method, Method::GET | Method::HEAD | Method::OPTIONS)
    }

    /// Whether the request says in which order rows come.
    pub(super) fn is_ordered(&self) -> bool {
        self.path.split(['?', '&', ';']).any(|part| part.starts_with("order="))
    }

    /// The request as one line.
    pub(super) fn describe(&self) -> String {
        let mut text = format!("{} {} @{}", self.method, self.path, self.sender);
        for (name, value) in &self.headers {
            text.push_str(&format!("\n      {name}: {value}"));
        }
        if let Some(body) = &self.body {
            text.push_str(&format!("\n      | {}", String::from_utf8_lossy(body)));
        }
        text
    }
}

/// All cases of a folder, in the order of its file names.
pub(super) fn read_folder(folder: &Path) -> Vec<Case> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    files.iter().flat_map(|file| read_file(file)).collect()
}

fn read_file(file: &Path) -> Vec<Case> {
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let mut profile = Profile::Full;
    let mut cases: Vec<Case> = Vec::new();
    for (index, line) in std::fs::read_to_string(file).unwrap().lines().enumerate() {
        let place = format!("{name}:{}", index + 1);
        if let Some(detail) = line.strip_prefix("    ") {
            let case = cases.last_mut().unwrap_or_else(|| panic!("{place}: no request stands before this line"));
            read_detail(case, detail, &place);
        } else if line == "profile limited" {
            profile = Profile::Limited;
        } else if !line.trim().is_empty() && !line.starts_with('#') {
            let mut case = read_request(line, place);
            case.profile = profile;
            cases.push(case);
        }
    }
    cases
}

/// `STATUS[/CODE] METHOD PATH [@SENDER]`
fn read_request(line: &str, place: String) -> Case {
    let mut words = line.splitn(3, ' ');
    let mut word = || words.next().unwrap_or_else(|| panic!("{place}: {line}"));
    let (expected, method, rest) = (word(), word(), word());
    let (path, sender) = match rest.rsplit_once(" @") {
        Some((path, sender)) if SENDERS.contains(&sender) => (path, sender),
        _ => (rest, "alice"),
    };
    let (status, code) = read_status(expected, &place);
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    Case { status: Some(status), code, ..Case::new(place, method, path, sender) }
}

fn read_status(text: &str, place: &str) -> (u16, Option<String>) {
    let (status, code) = text.split_once('/').map_or((text, None), |(status, code)| (status, Some(code.to_owned())));
    (status.parse().unwrap_or_else(|_| panic!("{place}: {text} is no status")), code)
}

fn read_detail(case: &mut Case, detail: &str, place: &str) {
    if detail == "|" || detail.starts_with("| ") {
        let text = detail.get(2..).unwrap_or_default();
        match &mut case.body {
            None => case.body = Some(text.as_bytes().to_vec()),
            Some(body) => {
                body.push(b'\n');
                body.extend(text.as_bytes());
            }
        }
    } else if let Some(bytes) = detail.strip_prefix("|x ") {
        case.body.get_or_insert_default().extend(hex::decode(bytes.replace(' ', "")).unwrap());
    } else if let Some(newer) = detail.strip_prefix("newer ") {
        let (expected, id) = newer.split_once(' ').unwrap_or_else(|| panic!("{place}: newer STATUS[/CODE] ROW"));
        let (status, code) = read_status(expected, place);
        case.newer = Some(Newer { id: id.to_owned(), status, code });
    } else if let Some(id) = detail.strip_prefix("differs ") {
        case.differs = Some(id.to_owned());
    } else if let Some(comparison) = detail.strip_prefix("~ ") {
        case.comparison = match comparison {
            "openapi" => Comparison::OpenApi,
            "shape" => Comparison::Shape,
            other => panic!("{place}: {other} is no comparison"),
        };
    } else {
        let (name, value) = detail.split_once(':').unwrap_or_else(|| panic!("{place}: {detail} is no header"));
        case.headers.push((name.to_owned(), value.trim().to_owned()));
    }
}

/// Percent codes for all that cannot stand in an address; what is encoded already stays.
fn encode(path: &str) -> String {
    path.bytes().fold(String::with_capacity(path.len()), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~:/?[]@!$&'()*+,;=%".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
        text
    })
}
