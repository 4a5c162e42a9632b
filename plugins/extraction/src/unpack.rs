//! The one place where anything is unpacked: zip entries as readers that are bounded in size and in ratio.
//!
//! Sizes that a file states are never believed. What comes out is counted while it comes out.

use std::collections::HashMap;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use zip::ZipArchive;
use zip::read::ZipFile;
use zip::result::ZipError;

use crate::document::Document;
use crate::failure::{Failure, failure_in};

/// Most entries of a file. Books with a picture on each page have some thousands.
const MAX_ENTRIES: usize = 10_000;
/// Most bytes of one entry. A sheet of a million cells has 50 million, and 150 million in `LibreOffice`.
const MAX_ENTRY: u64 = 256 * 1024 * 1024;
/// Most bytes of all entries that are read, with those that are read twice.
const MAX_UNPACKED: u64 = 768 * 1024 * 1024;
/// Most bytes that are kept in memory at once.
const MAX_KEPT: u64 = 32 * 1024 * 1024;
/// Bytes that any entry may have, however small it is packed.
const FREE: u64 = 1024 * 1024;
/// Most bytes for each packed byte. Deflate reaches 1032; sheets of equal cells reach about 100.
const MAX_RATIO: u64 = 250;
/// What every entry's header in a zip file's directory begins with.
const DIRECTORY_SIGNATURE: &[u8; 4] = b"PK\x01\x02";

const TOO_LARGE: Failure = Failure::too_large("The file is larger, when it is unpacked, than a document may be.");
const DAMAGED: Failure = Failure::damaged("The file is damaged: it cannot be unpacked.");
const ENCRYPTED: Failure = Failure::encrypted("The file needs a password.");

/// A zip file.
pub(crate) struct Archive<'a> {
    zip: ZipArchive<Document<'a>>,
    /// Entries by their names in small letters with `/` between folders.
    places: HashMap<String, usize>,
    /// Bytes that may still be unpacked.
    left: u64,
}

impl<'a> Archive<'a> {
    /// Reads the directory.
    pub(crate) fn open(document: &Document<'a>) -> Result<Self, Failure> {
        let mut document = document.again();
        bound_entries(&mut document)?;
        let zip = ZipArchive::new(document).map_err(|error| failure_of(&error))?;
        refuse_overlaps(&zip)?;
        let names = zip.file_names().enumerate();
        let places = names.filter_map(|(index, name)| Some((normalized(&name.ok()?), index))).collect();
        Ok(Self { zip, places, left: MAX_UNPACKED })
    }

    /// The names of all entries, in small letters, in no order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }

    /// Whether there is an entry of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.places.contains_key(&normalized(name))
    }

    /// A reader of the entry's bytes, or nothing if there is no such entry.
    pub(crate) fn entry(&mut self, name: &str) -> Result<Option<BufReader<Entry<'_, 'a>>>, Failure> {
        let Some(index) = self.places.get(&normalized(name)) else { return Ok(None) };
        let file = self.zip.by_index(*index).map_err(|error| failure_of(&error))?;
        let most = FREE.max(file.compressed_size().saturating_mul(MAX_RATIO)).min(MAX_ENTRY);
        Ok(Some(BufReader::with_capacity(64 * 1024, Entry { file, most, left: &mut self.left })))
    }

    /// All bytes of the entry, at most [`MAX_KEPT`], or nothing if there is no such entry.
    pub(crate) fn bytes(&mut self, name: &str) -> Result<Option<Vec<u8>>, Failure> {
        let Some(entry) = self.entry(name)? else { return Ok(None) };
        kept(entry).map(Some)
    }
}

/// All that a reader gives, at most [`MAX_KEPT`] bytes.
pub(crate) fn kept(reader: impl Read) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    reader.take(MAX_KEPT + 1).read_to_end(&mut bytes).map_err(|error| failure_in(&error))?;
    if bytes.len() as u64 > MAX_KEPT { Err(TOO_LARGE) } else { Ok(bytes) }
}

/// The bytes of one entry. Reading fails with `too-large` where a bound is passed.
pub(crate) struct Entry<'z, 'a> {
    file: ZipFile<'z, Document<'a>>,
    most: u64,
    left: &'z mut u64,
}

impl Read for Entry<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(buffer)?;
        let read = length as u64;
        self.most = self.most.checked_sub(read).ok_or(TOO_LARGE)?;
        *self.left = self.left.checked_sub(read).ok_or(TOO_LARGE)?;
        Ok(length)
    }
}

/// Counts the signatures of directory entries before the library takes memory for each of them, because the number that
/// the file states can be wrong. Signatures inside of packed data are counted too; they are rare.
fn bound_entries(document: &mut Document<'_>) -> Result<(), Failure> {
    document.seek(SeekFrom::Start(0)).map_err(|_| DAMAGED)?;
    let mut chunk = vec![0; 256 * 1024];
    let (mut kept, mut count) = (0, 0);
    loop {
        let length = document.read(&mut chunk[kept..]).map_err(|_| DAMAGED)?;
        if length == 0 {
            return Ok(());
        }
        let filled = kept + length;
        count += chunk[..filled].windows(4).filter(|window| *window == DIRECTORY_SIGNATURE).count();
        if count > MAX_ENTRIES {
            return Err(Failure::too_large("The file holds more parts than a document may hold."));
        }
        kept = filled.min(3);
        chunk.copy_within(filled - kept..filled, 0);
    }
}

/// Entries that share bytes make a small file unpack to a large one.
fn refuse_overlaps(zip: &ZipArchive<Document<'_>>) -> Result<(), Failure> {
    let mut ranges = Vec::with_capacity(zip.len());
    for index in 0..zip.len() {
        let entry = zip.by_index_data(index).map_err(|error| failure_of(&error))?;
        let header = 30 + entry.name_raw().len() as u64;
        let end = entry.header_start().saturating_add(header).saturating_add(entry.compressed_size());
        ranges.push((entry.header_start(), end));
    }
    ranges.sort_unstable();
    let overlap = ranges.windows(2).any(|pair| pair[0].1 > pair[1].0);
    if overlap { Err(DAMAGED) } else { Ok(()) }
}

fn failure_of(error: &ZipError) -> Failure {
    match error {
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) | ZipError::InvalidPassword => ENCRYPTED,
        ZipError::Io(error) => failure_in(error),
        _ => DAMAGED,
    }
}

fn normalized(name: &str) -> String {
    name.trim_start_matches(['/', '\\']).replace('\\', "/").to_lowercase()
}

/// The name of an entry that another one refers to: `target` as seen from `folder`. `..` never leaves the file.
pub(crate) fn resolved(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = if target.starts_with('/') { Vec::new() } else { folder.split('/').collect() };
    for part in target.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            part => parts.push(part),
        }
    }
    parts.retain(|part| !part.is_empty());
    parts.join("/")
}

/// The folder of an entry: what is before the last `/`.
pub(crate) fn folder_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

#[cfg(test)]
mod tests;
