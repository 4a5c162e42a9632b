//! Hides secrets in what a server sends back. A server that got one may repeat it, as pages for tests of requests do.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use hyper::body::{Body, Frame};
use url::form_urlencoded::byte_serialize;
use wasmtime_wasi_http::Error;

use super::body::ResponseBody;

/// The byte that stands for each byte of a secret. The text keeps its length, which the answer may have said before.
const HIDDEN: u8 = b'*';

/// Hides texts in a stream of bytes, also where one is cut between two pieces.
pub(super) struct Mask {
    hidden: Vec<Vec<u8>>,
    /// Bytes that may be the beginning of a text, and whether each is part of one that was found already.
    held: Vec<(u8, bool)>,
}

impl Mask {
    /// Hides these values, as they are and in the forms in which servers repeat them.
    pub(super) fn new(values: &[String]) -> Self {
        let mut hidden = Vec::new();
        for value in values {
            let forms = [
                value.clone(),
                byte_serialize(value.as_bytes()).collect(),
                STANDARD_NO_PAD.encode(value),
                escaped(value),
            ];
            for form in forms.map(String::into_bytes) {
                if !hidden.contains(&form) {
                    hidden.push(form);
                }
            }
        }
        Self { hidden, held: Vec::new() }
    }

    /// What can be shown after these bytes have come.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Bytes {
        let mut all = std::mem::take(&mut self.held);
        let raw: Vec<u8> = all.iter().map(|(byte, _)| *byte).chain(bytes.iter().copied()).collect();
        all.extend(bytes.iter().map(|byte| (*byte, false)));
        for text in &self.hidden {
            for place in places(&raw, text) {
                all[place..place + text.len()].iter_mut().for_each(|(_, found)| *found = true);
            }
        }
        let kept = self.hidden.iter().map(|text| beginning(&raw, text)).max().unwrap_or(0);
        self.held = all.split_off(all.len() - kept);
        shown(&all)
    }

    /// The rest, after the last bytes have come.
    pub(super) fn finish(&mut self) -> Bytes {
        shown(&std::mem::take(&mut self.held))
    }

    fn holds_nothing(&self) -> bool {
        self.held.is_empty()
    }

    /// Hides the texts in the values of headers.
    pub(super) fn hide_in(&self, headers: &mut HeaderMap) {
        for value in headers.values_mut() {
            let mut own = Self { hidden: self.hidden.clone(), held: Vec::new() };
            let text = [own.push(value.as_bytes()), own.finish()].concat();
            if text != value.as_bytes() {
                // Stars in the place of other characters do not make a value invalid.
                *value = HeaderValue::from_bytes(&text).unwrap_or_else(|_| HeaderValue::from_static("*"));
            }
        }
    }
}

/// The value as JSON writes it where every slash is escaped as well.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('/', "\\/")
}

fn shown(bytes: &[(u8, bool)]) -> Bytes {
    bytes.iter().map(|(byte, found)| if *found { HIDDEN } else { *byte }).collect()
}

/// Where a text stands, also where two of its places overlap.
fn places<'a>(all: &'a [u8], text: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    all.windows(text.len().max(1)).enumerate().filter(move |(_, part)| *part == text).map(|(place, _)| place)
}

/// How many bytes at the end may be the beginning of a text that goes on.
fn beginning(all: &[u8], text: &[u8]) -> usize {
    let most = text.len().saturating_sub(1).min(all.len());
    (1..=most).rev().find(|length| text.starts_with(&all[all.len() - length..])).unwrap_or(0)
}

/// The body of an answer without secrets. Its trailers are left out.
pub(super) struct MaskedBody {
    inner: ResponseBody,
    mask: Mask,
    is_over: bool,
}

impl MaskedBody {
    pub(super) fn new(inner: ResponseBody, mask: Mask) -> Self {
        Self { inner, mask, is_over: false }
    }
}

impl Body for MaskedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        while !self.is_over {
            let bytes = match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
                Some(Ok(frame)) => frame.into_data().map(|data| self.mask.push(&data)).unwrap_or_default(),
                Some(Err(error)) => {
                    self.is_over = true;
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    self.is_over = true;
                    self.mask.finish()
                }
            };
            if !bytes.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.is_over || self.inner.is_end_stream() && self.mask.holds_nothing()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(values: &[&str], pieces: &[&str]) -> String {
        let values: Vec<_> = values.iter().map(|value| (*value).to_owned()).collect();
        let mut mask = Mask::new(&values);
        let mut shown: Vec<u8> = pieces.iter().flat_map(|piece| mask.push(piece.as_bytes())).collect();
        shown.extend(mask.finish());
        String::from_utf8(shown).expect("text")
    }

    #[test]
    fn a_secret_is_hidden_wherever_the_answer_is_cut() {
        let text = "key sk-0123456789, again sk-0123456789sk-0123456789.";
        let expected = "key *************, again **************************.";
        for first in 0..=text.len() {
            for second in first..=text.len() {
                let pieces = [&text[..first], &text[first..second], &text[second..]];
                assert_eq!(masked(&["sk-0123456789"], &pieces), expected, "{first} {second}");
            }
        }
        let bytes: Vec<_> = text.split_inclusive(|_: char| true).collect();
        assert_eq!(masked(&["sk-0123456789"], &bytes), expected);
    }

    #[test]
    fn secrets_that_overlap_and_the_forms_of_one_are_hidden() {
        assert_eq!(masked(&["abcabcab"], &["xabcab", "cabcaby"]), "x***********y");
        assert_eq!(masked(&["abcdefgh", "ghijklmn"], &["abcdef", "ghijkl", "mn-"]), "**************-");
        assert_eq!(
            masked(&["p/q+r\"stu"], &[r#"{"k": "p\/q+r\"stu"} p%2Fq%2Br%22stu"#]),
            r#"{"k": "***********"} ***************"#
        );
        let encoded = STANDARD_NO_PAD.encode("sk-0123456789");
        assert_eq!(masked(&["sk-0123456789"], &[&encoded, "=="]), format!("{}==", "*".repeat(encoded.len())));
        assert_eq!(masked(&["sk-0123456789"], &["sk-012345678", "8 sk-"]), "sk-0123456788 sk-");
    }

    #[test]
    fn a_secret_is_hidden_in_headers() {
        let mut headers = HeaderMap::new();
        headers.insert("x-echo", HeaderValue::from_static("Bearer sk-0123456789"));
        headers.insert("x-other", HeaderValue::from_static("plain"));
        Mask::new(&["sk-0123456789".to_owned()]).hide_in(&mut headers);
        assert_eq!(
            (&headers["x-echo"], &headers["x-other"]),
            (&HeaderValue::from_static("Bearer *************"), &HeaderValue::from_static("plain"))
        );
    }
}
