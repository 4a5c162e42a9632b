//! The pages of a document on their way to the database, in a file without a name: a document may hold more text than memory should.

use std::io::SeekFrom;

use behalf_queue::Failure;
use behalf_sandbox::Page;
use serde::{Deserialize, Serialize};
use tokio::fs::File;
use tokio::io::{AsyncBufReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _, BufReader, BufWriter};

/// Bytes of text that one statement stores, about.
const BATCH_BYTES: usize = 1024 * 1024;
/// Pages that one statement stores.
const BATCH_PAGES: usize = 1_000;

/// Pages that wait to be stored.
#[derive(Debug)]
pub(super) struct Spool {
    file: BufWriter<File>,
}

/// A page as the file keeps it: one line of JSON.
#[derive(Debug, Deserialize, Serialize)]
struct Line {
    number: i32,
    name: Option<String>,
    text: String,
}

/// Some pages, as a statement takes them.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Batch {
    pub(super) numbers: Vec<i32>,
    pub(super) names: Vec<Option<String>>,
    pub(super) texts: Vec<String>,
}

impl Spool {
    /// An empty one in this file.
    pub(super) fn new(file: File) -> Self {
        Self { file: BufWriter::new(file) }
    }

    /// Adds a page.
    pub(super) async fn add(&mut self, page: Page) -> Result<(), Failure> {
        let number = i32::try_from(page.number).map_err(Failure::retry)?;
        let line = Line { number, name: page.name, text: page.text };
        let mut line = serde_json::to_vec(&line).map_err(Failure::retry)?;
        line.push(b'\n');
        self.file.write_all(&line).await.map_err(Failure::retry)
    }

    /// Ends it, to read it from its beginning.
    pub(super) async fn finish(mut self) -> Result<Batches, Failure> {
        self.file.flush().await.map_err(Failure::retry)?;
        let mut file = self.file.into_inner();
        file.seek(SeekFrom::Start(0)).await.map_err(Failure::retry)?;
        Ok(Batches { file: BufReader::new(file) })
    }
}

/// The pages, in order.
#[derive(Debug)]
pub(super) struct Batches {
    file: BufReader<File>,
}

impl Batches {
    /// The next pages; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Batch>, Failure> {
        let (mut batch, mut bytes) = (Batch::default(), 0);
        while bytes < BATCH_BYTES && batch.numbers.len() < BATCH_PAGES {
            let mut line = Vec::new();
            if self.file.read_until(b'\n', &mut line).await.map_err(Failure::retry)? == 0 {
                break;
            }
            let Line { number, name, text } = serde_json::from_slice(&line).map_err(Failure::retry)?;
            bytes += text.len();
            batch.numbers.push(number);
            batch.names.push(name);
            batch.texts.push(text);
        }
        Ok(Some(batch).filter(|batch| !batch.numbers.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pages_come_back_as_they_were_in_batches_of_bounded_size() {
        let file = File::from_std(tempfile::tempfile().expect("a file"));
        let mut spool = Spool::new(file);
        let text = |number: u32| format!("{number}\n\"\u{2028}\\ {}", "x".repeat(400_000));
        for number in 1..=7 {
            let name = (number % 2 == 0).then(|| format!("sheet {number}"));
            spool.add(Page { number, name, text: text(number), total: None }).await.expect("room");
        }
        let mut batches = spool.finish().await.expect("room");
        let mut found = Vec::new();
        while let Some(batch) = batches.next().await.expect("what was written") {
            assert!(batch.texts.iter().map(String::len).sum::<usize>() < 2 * BATCH_BYTES);
            found.extend(batch.numbers.into_iter().zip(batch.names).zip(batch.texts));
        }
        assert_eq!(found.len(), 7);
        for (number, ((found, name), found_text)) in (1..).zip(found) {
            assert_eq!((found, name.is_some()), (i32::try_from(number).expect("small"), number % 2 == 0));
            assert_eq!(found_text, text(number));
        }
    }
}
