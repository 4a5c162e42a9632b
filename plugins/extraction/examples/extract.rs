//! Reads a file and prints its pages as lines of JSON: `cargo run --release --example extract -- FILE`.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use extraction::{Page, Sink, Summary, extract};
use serde_json::json;

struct Printed(io::StdoutLock<'static>);

impl Printed {
    fn print(&mut self, line: &serde_json::Value) -> bool {
        writeln!(self.0, "{line}").is_ok()
    }
}

impl Sink for Printed {
    fn add_page(&mut self, page: Page) -> bool {
        self.print(&json!({ "name": page.name, "text": page.text }))
    }

    fn progress(&mut self, _done: u32, _total: Option<u32>) {}
}

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: extract FILE");
        return ExitCode::FAILURE;
    };
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let extension = Path::new(&path).extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let mut printed = Printed(io::stdout().lock());
    match extract(&bytes.as_slice(), &extension, &mut printed) {
        Ok(Summary { format, title, author, pictures, omitted }) => {
            let line = json!({
                "format": format, "title": title, "author": author, "pictures": pictures, "omitted": omitted,
            });
            printed.print(&line);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            let line = json!({ "reason": format!("{:?}", failure.reason), "message": failure.message });
            printed.print(&line);
            ExitCode::FAILURE
        }
    }
}
