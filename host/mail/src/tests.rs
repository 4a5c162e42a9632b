//! Letters to a folder and to a server that is made here.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use behalf_jobs::Jobs;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::template::{Form, Template};
use crate::templates::Templates;
use crate::{Letter, LetterKind, MailError, MailOptions, Outbox, Transport};

fn letter(kind: LetterKind) -> Letter {
    Letter {
        to: "alice@example.com".to_owned(),
        kind,
        confirmation_url: Some(
            "https://host.example/auth/v1/verify?token=abc&type=signup&redirect_to=https%3A%2F%2Fapp.example"
                .to_owned(),
        ),
        token: "123456".to_owned(),
        token_hash: "abc".to_owned(),
        site_url: "https://app.example".to_owned(),
        redirect_to: "https://app.example/in?a=1&b=2".to_owned(),
        email: "alice@example.com".to_owned(),
        new_email: Some("new@example.com".to_owned()),
        data: json!({ "name": "<b>Alice</b>", "n": 7, "deep": { "url": "javascript:alert(1)" } }),
    }
}

fn options(transport: Option<Transport>, templates: Option<&Path>) -> MailOptions {
    MailOptions {
        transport,
        from: "My App <no-reply@app.example>".to_owned(),
        templates: templates.map(Path::to_owned),
    }
}

fn render(text: &str, form: Form) -> String {
    Template::parse(text, form).expect("a template").render(&letter(LetterKind::MagicLink))
}

#[test]
fn every_kind_has_a_subject_a_text_and_a_page() {
    let templates = Templates::read(None).expect("the own ones");
    for kind in LetterKind::ALL {
        let content = templates.render(&letter(kind)).expect("a letter");
        let (plain, html) = (content.plain.expect("a text"), content.html.expect("a page"));
        assert!(!content.subject.is_empty() && !content.subject.contains("{{"), "{kind:?}");
        assert!(plain.contains("123456") && html.contains("123456"), "{kind:?}");
        if kind != LetterKind::Reauthentication {
            assert!(plain.contains("verify?token=abc&type=signup&"), "{plain}");
            assert!(
                html.contains("href=\"https://host.example/auth/v1/verify?token=abc&amp;type=signup&amp;"),
                "{html}"
            );
        }
        assert!(!plain.contains("{{") && !html.contains("{{"), "{kind:?}");
    }
}

#[test]
fn values_are_escaped_for_the_place_where_they_stand() {
    for (template, wanted) in [
        ("<p>{{ .Data.name }}</p>", "<p>&lt;b&gt;Alice&lt;/b&gt;</p>"),
        ("<p title=\"{{.Data.name}}\">", "<p title=\"&lt;b&gt;Alice&lt;/b&gt;\">"),
        ("<a href='{{ .Data.deep.url }}'>", "<a href='#'>"),
        ("<a href=\" {{ .Data.deep.url }}\">", "<a href=\" #\">"),
        (
            "<a href=\"{{ .SiteURL }}/c?t={{ .TokenHash }}&next={{ .RedirectTo }}\">",
            "<a href=\"https://app.example/c?t=abc&next=https%3A%2F%2Fapp.example%2Fin%3Fa%3D1%26b%3D2\">",
        ),
        ("<a href=\"{{ .RedirectTo }}\">", "<a href=\"https://app.example/in?a=1&amp;b=2\">"),
        ("<a href=\"https://x/{{ .Data.name }}\">", "<a href=\"https://x/%3Cb%3EAlice%3C/b%3E\">"),
        ("{{ .Data.n }} {{ .Data.none }}|{{ .Data.deep }}|", "7 ||"),
    ] {
        assert_eq!(render(template, Form::Html), wanted);
    }
    let mut hostile = letter(LetterKind::Invite);
    hostile.data = json!({ "name": "x\r\nBcc: everybody@example.com\r\n\r\nbody" });
    let template = Template::parse("Hello {{ .Data.name }}!", Form::Plain).expect("a template");
    assert!(!template.render(&hostile).contains(['\r', '\n']));
}

#[test]
fn what_a_template_cannot_say_is_told_with_its_line() {
    for (template, line) in [
        ("a\n{{ if .Email }}b{{ end }}", "line 2: {{ if .Email }} is not known"),
        ("{{ .Password }}", "line 1: {{ .Password }} is not known"),
        ("{{ .Data }}", "line 1: {{ .Data }} is not known"),
        ("{{ .Data. }}", "line 1: {{ .Data. }} is not known"),
        ("a\n\nb {{ .Token", "line 3: {{ without }}"),
        ("<a href={{ .SiteURL }}>", "line 1: a value within a tag"),
        ("<a onclick=\"{{ .Token }}\">", "line 1: no value can stand in the attribute onclick"),
    ] {
        let fault = Template::parse(template, Form::Html).expect_err(template);
        assert!(fault.starts_with(line), "{fault}");
    }
}

#[tokio::test]
async fn an_operator_s_templates_replace_the_own_ones_of_their_kind() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("magic_link.html"), "<p>{{ .Token }}</p>").expect("a file");
    std::fs::write(folder.path().join("magic_link.subject.txt"), "Hi {{ .Data.name }}\n").expect("a file");
    let templates = Templates::read(Some(folder.path())).expect("templates");
    let content = templates.render(&letter(LetterKind::MagicLink)).expect("a letter");
    assert_eq!(content.subject, "Hi <b>Alice</b>");
    assert_eq!((content.plain, content.html.as_deref()), (None, Some("<p>123456</p>")));
    assert!(templates.render(&letter(LetterKind::Invite)).expect("a letter").plain.is_some());

    std::fs::write(folder.path().join("invite.txt"), "x\n{{ range .Data }}").expect("a file");
    let Err(MailError::Option(fault)) = Outbox::start(&options(None, Some(folder.path())), &Jobs::new()) else {
        panic!("it was read");
    };
    assert!(fault.contains("invite.txt: line 2"), "{fault}");
    assert!(Templates::read(Some(&folder.path().join("none"))).is_err());
}

#[tokio::test]
async fn options_that_do_not_fit_are_refused_and_say_no_password() {
    let start = |transport, from: &str| {
        let mut options = options(transport, None);
        options.from = from.to_owned();
        Outbox::start(&options, &Jobs::new())
    };
    let smtp = |address: &str| Some(Transport::Smtp(address.to_owned()));
    for (transport, from) in [
        (smtp("mail.example:587"), "a@app.example"),
        (smtp("http://mail.example"), "a@app.example"),
        (smtp("smtp://user:hunter2@mail.example?tls=none"), "a@app.example"),
        (smtp("smtp://mail.example?tls=maybe"), "a@app.example"),
        (smtp("smtps://mail.example"), "My App"),
        (smtp("smtps://mail.example"), "a@app.example\r\nBcc: b@app.example"),
    ] {
        let fault = start(transport.clone(), from).map(|outbox| outbox.sends()).expect_err("refused").to_string();
        assert!(!fault.contains("hunter2"), "{fault}");
        assert!(!format!("{transport:?}").contains("hunter2"));
    }
    for address in
        ["smtps://u:p@mail.example", "smtp://u:p%40@mail.example:2525", "smtp://u:p@127.0.0.1:1", "smtp://u:p@[::1]:1"]
    {
        assert!(start(smtp(address), "a@app.example").expect(address).sends());
    }
    assert!(!start(None, "a@app.example").expect("no transport").sends());
}

/// The letters of a folder, in the order in which they were posted.
fn letters(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path()).collect();
    names.retain(|path| path.extension().is_some_and(|ending| ending == "eml"));
    names.sort();
    names.iter().map(|path| std::fs::read_to_string(path).expect("a letter")).collect()
}

#[tokio::test]
async fn a_folder_gets_a_file_for_each_letter_also_for_those_that_wait_when_the_host_stops() {
    let (folder, jobs) = (tempfile::tempdir().expect("a folder"), Jobs::new());
    let mailbox = folder.path().join("mail");
    let outbox = Outbox::start(&options(Some(Transport::Folder(mailbox.clone())), None), &jobs).expect("an outbox");
    for n in 0..50 {
        let mut letter = letter(LetterKind::MagicLink);
        letter.token = format!("{n:06}");
        outbox.post(letter);
    }
    jobs.shutdown(Duration::from_secs(5)).await;
    let mut letters = letters(&mailbox);
    assert_eq!(letters.len(), 50);
    let code = |letter: &String| letter.split_once("enter: ").map(|(_, rest)| rest.chars().take(6).collect::<String>());
    letters.sort_by_key(code);
    for (n, letter) in letters.iter().enumerate() {
        assert!(letter.contains(&format!("enter: {n:06}\r\n")), "{letter}");
        assert!(letter.contains("redirect_to=https%3A%2F%2Fapp.example\r\n"), "a link is whole: {letter}");
        assert!(letter.contains("To: alice@example.com\r\n") && letter.contains("Auto-Submitted: auto-generated\r\n"));
        assert!(letter.contains("From: \"My App\" <no-reply@app.example>\r\n"), "{letter}");
        assert!(letter.contains("@app.example>\r\n") && letter.contains("multipart/alternative"), "{letter}");
    }
}

#[tokio::test]
async fn nothing_that_a_user_chose_becomes_a_header() {
    let (folder, jobs) = (tempfile::tempdir().expect("a folder"), Jobs::new());
    std::fs::write(folder.path().join("invite.subject.txt"), "For {{ .Data.name }}").expect("a file");
    let mailbox = folder.path().join("mail");
    let transport = Some(Transport::Folder(mailbox.clone()));
    let outbox = Outbox::start(&options(transport, Some(folder.path())), &jobs).expect("an outbox");
    for to in [
        "a@example.com\r\nBcc: b@example.com",
        "a@example.com\nBcc: b@example.com",
        "a@example.com, b@example.com",
        "A <a@example.com>",
        "a@example.com>\r\nRCPT TO:<b@example.com",
        "",
        "@example.com",
    ] {
        outbox.post(Letter { to: to.to_owned(), ..letter(LetterKind::Invite) });
    }
    let injected = "x\r\nBcc: everybody@example.com\r\n\r\nhello";
    let mut data = letter(LetterKind::Invite);
    data.data = json!({ "name": injected });
    data.email = injected.to_owned();
    data.site_url = injected.to_owned();
    outbox.post(data);
    jobs.shutdown(Duration::from_secs(5)).await;
    let letters = letters(&mailbox);
    assert_eq!(letters.len(), 1);
    let head = letters[0].split("\r\n\r\n").next().expect("a head");
    assert!(head.lines().all(|line| !line.to_lowercase().starts_with("bcc")), "{head}");
    assert!(head.contains("Subject: For x"), "{head}");
}

#[tokio::test]
async fn texts_of_every_language_arrive() {
    let (folder, jobs) = (tempfile::tempdir().expect("a folder"), Jobs::new());
    std::fs::write(folder.path().join("invite.txt"), "Grüße, {{ .Data.name }}\n").expect("a file");
    std::fs::write(folder.path().join("invite.subject.txt"), "Grüße").expect("a file");
    let mailbox = folder.path().join("mail");
    let transport = Some(Transport::Folder(mailbox.clone()));
    let outbox = Outbox::start(&options(transport, Some(folder.path())), &jobs).expect("an outbox");
    outbox.post(Letter { data: json!({ "name": "x".repeat(2_000) }), ..letter(LetterKind::Invite) });
    jobs.shutdown(Duration::from_secs(5)).await;
    let letters = letters(&mailbox);
    assert!(letters[0].is_ascii() && letters[0].lines().all(|line| line.len() < 100), "{}", letters[0]);
    assert!(letters[0].contains("Gr=C3=BC=C3=9Fe") && letters[0].contains("=?utf-8?b?"), "{}", letters[0]);
}

/// A mail server that refuses as it is told, and says what it got.
async fn server(answers: Vec<&'static str>) -> (String, mpsc::UnboundedReceiver<String>, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("smtp://127.0.0.1:{}", listener.local_addr().expect("an address").port());
    let (got, letters) = mpsc::unbounded_channel();
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tries);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, answers.clone(), Arc::clone(&counted), got.clone()));
        }
    });
    (address, letters, tries)
}

async fn serve(
    stream: TcpStream,
    answers: Vec<&'static str>,
    tries: Arc<AtomicUsize>,
    got: mpsc::UnboundedSender<String>,
) {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 mail.example\r\n").await.expect("written");
    let (mut line, mut letter) = (String::new(), None::<String>);
    while stream.read_line(&mut line).await.is_ok_and(|bytes| bytes > 0) {
        let read = std::mem::take(&mut line);
        let answer = match &mut letter {
            Some(text) if read == ".\r\n" => {
                got.send(std::mem::take(text)).ok();
                letter = None;
                "250 taken"
            }
            Some(text) => {
                text.push_str(&read);
                continue;
            }
            None if read.starts_with("EHLO") => "250 mail.example",
            None if read.starts_with("RCPT") => {
                answers.get(tries.fetch_add(1, Ordering::SeqCst)).copied().unwrap_or("250 yes")
            }
            None if read.starts_with("DATA") => {
                letter = Some(String::new());
                "354 go on"
            }
            None => "250 yes",
        };
        if stream.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_server_that_asks_to_come_back_gets_the_letter_again_and_one_that_refuses_does_not() {
    let (address, mut letters, tries) =
        server(vec!["451 later", "421 later", "250 yes", "550 5.1.1 <alice@example.com> unknown"]).await;
    let jobs = Jobs::new();
    let options = options(Some(Transport::Smtp(address)), None);
    let outbox = Outbox::start_with(&options, &jobs, Duration::from_millis(10)).expect("an outbox");
    outbox.post(letter(LetterKind::Recovery));
    let got = tokio::time::timeout(Duration::from_secs(10), letters.recv()).await.expect("in time").expect("a letter");
    assert!(got.contains("enter: 123456"), "{got}");
    assert_eq!(tries.load(Ordering::SeqCst), 3);
    outbox.post(letter(LetterKind::Recovery));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(tries.load(Ordering::SeqCst), 4);
    jobs.shutdown(Duration::from_secs(5)).await;
    assert!(letters.try_recv().is_err());
}

#[tokio::test]
async fn a_server_that_is_away_holds_up_neither_requests_nor_the_end_of_the_host() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let jobs = Jobs::new();
    let options = options(Some(Transport::Smtp(format!("smtp://127.0.0.1:{port}"))), None);
    let outbox = Outbox::start(&options, &jobs).expect("an outbox");
    let begun = std::time::Instant::now();
    for _ in 0..5_000 {
        outbox.post(letter(LetterKind::Invite));
    }
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    jobs.shutdown(Duration::from_secs(5)).await;
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}
