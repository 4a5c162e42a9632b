//! The folder to which a test's host writes its letters.

use std::path::Path;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Method, Url};
use tempfile::TempDir;

use crate::{App, Options, TestDatabase, eventually};

/// The app's address in tests of sign-in.
pub const SITE: &str = "https://app.example/";

/// A folder with letters.
#[derive(Debug)]
pub struct Mailbox(TempDir);

/// A letter that was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Its headers, a line each.
    pub head: String,
    /// Its part in plain text.
    pub text: String,
}

/// Where a link of a letter led.
#[derive(Clone, Debug)]
pub struct Led {
    /// HTTP status.
    pub status: u16,
    /// The address.
    pub to: Url,
}

impl Mailbox {
    /// An empty one.
    pub fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// Settings of a host that writes here and limits nothing, unless `settings` do.
    pub fn options(&self, settings: &[(&'static str, &str)]) -> Options {
        let own = [
            ("auth_mail_folder", self.0.path().to_str().unwrap()),
            ("auth_site_url", SITE.trim_end_matches('/')),
            ("auth_letter_pause_seconds", "0"),
            ("auth_letters_per_hour", "0"),
            ("auth_tries_per_5_minutes", "0"),
        ];
        let kept = own.iter().filter(|(name, _)| settings.iter().all(|(other, _)| other != name));
        let all = kept.chain(settings).map(|(name, value)| (*name, (*value).to_owned())).collect();
        Options { settings: all }
    }

    /// A host that writes here.
    pub async fn app(&self, settings: &[(&'static str, &str)]) -> App {
        App::on(TestDatabase::create().await, self.options(settings)).await
    }

    /// The letters to an address, oldest first.
    pub fn to(&self, address: &str) -> Vec<Sent> {
        let header = format!("To: {address}");
        self.all().into_iter().filter(|letter| letter.head.lines().any(|line| line == header)).collect()
    }

    /// Every letter, oldest first.
    pub fn all(&self) -> Vec<Sent> {
        let Ok(folder) = std::fs::read_dir(self.0.path()) else { return Vec::new() };
        let mut files: Vec<_> = folder.map(|file| file.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|ending| ending == "eml"));
        files.sort();
        files.iter().map(|path| read(path)).collect()
    }

    /// The letter of this number to an address, counted from 1; waits for it.
    pub async fn letter(&self, address: &str, number: usize) -> Sent {
        let what = format!("letter {number} to {address}");
        eventually(&what, async || self.to(address).len() >= number).await;
        self.to(address).swap_remove(number - 1)
    }
}

impl Default for Mailbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Sent {
    /// The code in it.
    pub fn code(&self) -> String {
        let words = self.text.split_whitespace();
        let codes: Vec<_> = words.filter(|word| word.len() == 6 && word.bytes().all(|b| b.is_ascii_digit())).collect();
        assert_eq!(codes.len(), 1, "{}", self.text);
        codes[0].to_owned()
    }

    /// The link in it.
    pub fn link(&self) -> Url {
        let link = self.text.lines().find(|line| line.starts_with("http")).unwrap_or_else(|| panic!("{}", self.text));
        link.trim().parse().unwrap()
    }

    /// A parameter of the link.
    pub fn parameter(&self, name: &str) -> String {
        let link = self.link();
        let found = link.query_pairs().find(|(found, _)| found == name);
        found.unwrap_or_else(|| panic!("no {name} in {link}")).1.into_owned()
    }
}

impl Led {
    /// A parameter of the fragment.
    pub fn fragment(&self, name: &str) -> Option<String> {
        pair(self.to.fragment().unwrap_or_default(), name)
    }

    /// A parameter of the query.
    pub fn query(&self, name: &str) -> Option<String> {
        pair(self.to.query().unwrap_or_default(), name)
    }

    /// The access token that the app got.
    pub fn access_token(&self) -> String {
        self.fragment("access_token").unwrap_or_else(|| panic!("no session in {}", self.to))
    }
}

fn pair(text: &str, name: &str) -> Option<String> {
    let url: Url = format!("http://x/?{text}").parse().unwrap();
    url.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
}

impl App {
    /// Opens a link of a letter at this host, as a browser does, and stops where it leads.
    pub async fn follow(&self, link: &Url) -> Led {
        let response = self.open(link, Method::GET).await;
        let status = response.status().as_u16();
        let to = response.headers().get("location").unwrap_or_else(|| panic!("{status} and no way on from {link}"));
        Led { status, to: to.to_str().unwrap().parse().unwrap() }
    }

    /// Opens a link of a letter with this method.
    pub async fn open(&self, link: &Url, method: Method) -> reqwest::Response {
        let client =
            reqwest::Client::builder().redirect(Policy::none()).timeout(Duration::from_mins(1)).build().unwrap();
        let address = format!("{}{}?{}", self.url, link.path(), link.query().unwrap_or_default());
        client.request(method, address).send().await.unwrap()
    }
}

/// Reads a letter. Its text stands as it is, or in the form of RFC 2045 that breaks long lines.
fn read(path: &Path) -> Sent {
    let raw = std::fs::read_to_string(path).unwrap();
    let (head, body) = raw.split_once("\r\n\r\n").unwrap();
    let plain = body.split_once("Content-Type: text/plain").map_or(body, |(_, part)| part);
    let (part_head, text) = plain.split_once("\r\n\r\n").unwrap_or(("", plain));
    let text = text.split("\r\n--").next().unwrap_or_default();
    let is_quoted = format!("{head}\r\n{part_head}").to_lowercase().contains("quoted-printable");
    let text = if is_quoted { unquoted(text) } else { text.to_owned() };
    Sent { head: head.replace("\r\n", "\n"), text: text.replace("\r\n", "\n") }
}

fn unquoted(text: &str) -> String {
    let joined = text.replace("=\r\n", "");
    let mut parts = joined.split('=');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).unwrap()
}
