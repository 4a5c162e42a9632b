//! Files of Office before 2007, and all of Office with a password: both are compound files.
//!
//! Word and `PowerPoint` are read by undoc. Its memory grows with the number of paragraphs, so that is counted first.
//! Sheets are read here, because both libraries for them, undoc and calamine, take memory for each place up to a
//! sheet's last row and column.

mod biff;
mod records;
mod slides;

use cfb::CompoundFile;

use crate::document::Document;
use crate::failure::{Failure, Stop};
use crate::pages::Pages;

/// Most bytes of a file of Word or `PowerPoint`.
const MAX_FILE: u64 = 48 * 1024 * 1024;

const DAMAGED: Failure = Failure::damaged("The file is damaged: its content cannot be read.");

/// What a compound file holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Doc,
    Xls,
    Ppt,
}

/// What the file holds, by the names of its streams.
pub(crate) fn kind(document: &Document<'_>) -> Result<Kind, Failure> {
    let file = CompoundFile::open(document.again()).map_err(|_| DAMAGED)?;
    let has = |name: &str| file.is_stream(name);
    if has("/EncryptedPackage") || has("/EncryptionInfo") {
        return Err(Failure::encrypted("The file needs a password."));
    }
    let kinds = [("/WordDocument", Kind::Doc), ("/Workbook", Kind::Xls), ("/PowerPoint Document", Kind::Ppt)];
    let found = kinds.into_iter().find(|(name, _)| has(name)).map(|(_, kind)| kind);
    found.ok_or(Failure::unknown_format("The file is of a format that cannot be read."))
}

/// Hands over a file of Office before 2007.
pub(crate) fn extract(document: &mut Document<'_>, pages: &mut Pages<'_>, kind: Kind) -> Result<(), Stop> {
    match kind {
        Kind::Xls => {
            let mut file = CompoundFile::open(document.again()).map_err(|_| DAMAGED)?;
            let stream = file.open_stream("/Workbook").map_err(|_| DAMAGED)?;
            biff::extract(stream, pages)
        }
        Kind::Doc | Kind::Ppt => slides::extract(&document.read_all(MAX_FILE)?, pages),
    }
}

#[cfg(test)]
mod tests;
