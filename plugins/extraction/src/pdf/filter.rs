//! Streams of a PDF, unpacked within bounds. A size that a file states is never believed.

use std::io::Read;

use flate2::read::{DeflateDecoder, ZlibDecoder};
use unpdf::parser::raw::stream::decompress;
use unpdf::parser::raw::{PdfDict, PdfObject, PdfStream};

use crate::failure::Failure;

/// Most filters of a stream: one that packs and one that makes text of bytes, and some to spare.
const MAX_FILTERS: usize = 4;
/// Most bytes that are unpacked as LZW. The library unpacks each of them to 400 at most.
const MAX_LZW: usize = 256 * 1024;
/// Bytes that may be unpacked for any document, for each byte of its file beside, and at most. Each stream is unpacked to
/// see how long it is and then to be read, and counts for both.
const FREE: usize = 256 * 1024 * 1024;
const FOR_BYTE: usize = 32;
const MOST: usize = 2 * 1024 * 1024 * 1024 - 1;

/// Bytes that may still be unpacked.
pub(super) struct Budget {
    left: usize,
}

impl Budget {
    /// For a document of this many bytes.
    pub(super) fn for_document(size: u64) -> Self {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        Self { left: size.saturating_mul(FOR_BYTE).saturating_add(FREE).min(MOST) }
    }

    pub(super) fn of(left: usize) -> Self {
        Self { left }
    }

    /// The unpacked bytes of a stream, or nothing if they cannot be unpacked or are more than `most`. The failure
    /// `too-large` if the document has used up its budget.
    pub(super) fn unpack(&mut self, stream: &PdfStream, most: usize) -> Result<Option<Vec<u8>>, Failure> {
        let mut data = stream.raw_data.clone();
        for (filter, parameters) in stages(stream) {
            let stage = PdfStream { dict: PdfDict::new(), raw_data: data };
            data = match self.stage(stage, filter, parameters, most)? {
                Some(data) => data,
                None => return Ok(None),
            };
        }
        self.spend(data.len())?;
        Ok((data.len() <= most).then_some(data))
    }

    fn stage(
        &mut self,
        mut stage: PdfStream,
        filter: Option<&[u8]>,
        parameters: Option<&PdfObject>,
        most: usize,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let packed = stage.raw_data.len();
        let fits = match filter {
            Some(b"FlateDecode" | b"Fl") => self.inflates_to(&stage.raw_data, most)?,
            Some(b"LZWDecode" | b"LZW") => packed <= MAX_LZW,
            Some(b"RunLengthDecode" | b"RL") => packed <= most / 64,
            Some(b"ASCII85Decode" | b"A85") => packed <= most / 4,
            Some(b"ASCIIHexDecode" | b"AHx") => packed <= most,
            _ => false,
        };
        let Some(filter) = filter.filter(|_| fits) else { return Ok(None) };
        stage.dict.insert(b"Filter".to_vec(), PdfObject::Name(filter.to_vec()));
        if let Some(parameters) = parameters {
            stage.dict.insert(b"DecodeParms".to_vec(), parameters.clone());
        }
        let data = decompress(&stage).ok();
        self.spend(data.as_ref().map_or(0, Vec::len))?;
        Ok(data)
    }

    /// Whether deflated bytes are at most `most`, also if they are damaged somewhere.
    fn inflates_to(&mut self, packed: &[u8], most: usize) -> Result<bool, Failure> {
        let (length, is_whole) = inflated_length(ZlibDecoder::new(packed), most);
        self.spend(length)?;
        if is_whole || length > most {
            return Ok(length <= most);
        }
        // The library takes them for bytes without zlib's header then.
        let (length, _) = inflated_length(DeflateDecoder::new(packed), most);
        self.spend(length)?;
        Ok(length <= most)
    }

    fn spend(&mut self, length: usize) -> Result<(), Failure> {
        let left = self.left.checked_sub(length);
        self.left =
            left.ok_or(Failure::too_large("The PDF file is larger, when it is unpacked, than a file may be."))?;
        Ok(())
    }
}

/// How many bytes a reader gives, at most some more than `most`, and whether it ends without an error.
fn inflated_length(mut reader: impl Read, most: usize) -> (usize, bool) {
    let mut buffer = [0; 16 * 1024];
    let mut length = 0;
    while length <= most {
        match reader.read(&mut buffer) {
            Ok(0) => return (length, true),
            Ok(read) => length += read,
            Err(_) => return (length, false),
        }
    }
    (length, false)
}

/// The filters of a stream with their parameters. No name stands for a filter that cannot be applied.
fn stages(stream: &PdfStream) -> Vec<(Option<&[u8]>, Option<&PdfObject>)> {
    let value =
        |long: &str, short: &str| stream.dict.get(long.as_bytes()).or_else(|| stream.dict.get(short.as_bytes()));
    let filters = match value("Filter", "F") {
        Some(PdfObject::Array(filters)) if filters.len() <= MAX_FILTERS => filters.as_slice(),
        Some(PdfObject::Array(_)) => return vec![(None, None)],
        None | Some(PdfObject::Null) => return Vec::new(),
        Some(filter) => std::slice::from_ref(filter),
    };
    let parameters = value("DecodeParms", "DP");
    let last = filters.len().saturating_sub(1);
    let of = |index: usize| match parameters {
        Some(PdfObject::Array(parameters)) => parameters.get(index),
        other => other.filter(|_| index == last),
    };
    filters.iter().enumerate().map(|(index, filter)| (filter.as_name(), of(index))).collect()
}

/// The bytes of a stream that is only deflated; empty if it is not. Nothing if they are more than `most`.
pub(super) fn inflate(packed: &[u8], most: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    // What comes before an error stays.
    let _ = ZlibDecoder::new(packed).take(most as u64 + 1).read_to_end(&mut bytes);
    (bytes.len() <= most).then_some(bytes)
}
