//! Whether a file that the reader does not know is a picture: those hold no text, and may be sent to a server that reads pictures.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

/// Whether the file begins as one of the pictures that may be uploaded.
pub(super) fn is_picture(file: &File) -> bool {
    let mut head = [0; 12];
    let read = file.read_at(&mut head, 0).unwrap_or_default();
    let head = head.get(..read).unwrap_or_default();
    let is_webp = head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP".as_slice());
    let beginnings: [&[u8]; 6] = [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*"];
    is_webp || beginnings.iter().any(|beginning| head.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn says(bytes: &[u8]) -> bool {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(bytes).expect("room");
        is_picture(&file)
    }

    #[test]
    fn the_beginning_says_it_and_nothing_else() {
        for picture in [
            &b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..],
            b"\xff\xd8\xff\xe0",
            b"GIF89a\x01\0",
            b"RIFF\0\0\0\0WEBPVP8 ",
            b"II*\0\x08",
        ] {
            assert!(says(picture), "{picture:?}");
        }
        for other in [&b""[..], b"RIFF\0\0\0\0WAVE", b"PNG", b"%PDF-1.7", b"RIFF", b"text"] {
            assert!(!says(other), "{other:?}");
        }
    }
}
