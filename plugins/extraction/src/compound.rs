//! Files of Office before 2007, and all of Office with a password: both are compound files.

use std::io::{Read, Seek, SeekFrom};

use crate::document::Document;
use crate::failure::{Failure, Stop};
use crate::pages::Pages;

/// Says why the file is not read.
pub(crate) fn extract(document: &mut Document<'_>, _pages: &mut Pages<'_>) -> Result<(), Stop> {
    let is_encrypted = holds(document, "EncryptedPackage")?;
    Err(if is_encrypted {
        Failure::encrypted("The file needs a password.")
    } else {
        Failure::unknown_format("Files of Office before 2007 cannot be read. Save it in a format of today.")
    }
    .into())
}

/// Whether a part of the compound file has this name. Names are written in UTF-16.
fn holds(document: &mut Document<'_>, name: &str) -> Result<bool, Stop> {
    let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    document.seek(SeekFrom::Start(0))?;
    let mut chunk = vec![0; 256 * 1024];
    let mut kept = 0;
    loop {
        let length = document.read(&mut chunk[kept..])?;
        if length == 0 {
            return Ok(false);
        }
        let filled = kept + length;
        if chunk[..filled].windows(name.len()).any(|window| window == name) {
            return Ok(true);
        }
        kept = filled.min(name.len() - 1);
        chunk.copy_within(filled - kept..filled, 0);
    }
}
