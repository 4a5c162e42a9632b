//! Values written out again, with their references replaced by what they lead to.

use unpdf::parser::raw::{PdfDict, PdfObject, RawDocument};

/// Most arrays and dictionaries inside of each other.
const MAX_DEPTH: usize = 6;
/// Most values that one value is written as. An array of widths of all Chinese characters has about 60,000.
const MAX_VALUES: usize = 100_000;

/// Writes the entries of a dictionary that are wanted, without its brackets.
pub(super) fn entries(raw: &RawDocument, dict: &PdfDict, keys: &[&str], out: &mut Vec<u8>) {
    for key in keys {
        if let Some(value) = dict.get(key.as_bytes()) {
            entry(raw, key, value, out);
        }
    }
}

/// Writes one entry of a dictionary.
pub(super) fn entry(raw: &RawDocument, key: &str, object: &PdfObject, out: &mut Vec<u8>) {
    name(key.as_bytes(), out);
    out.push(b' ');
    value(raw, object, out);
}

/// Writes a value.
pub(super) fn value(raw: &RawDocument, value: &PdfObject, out: &mut Vec<u8>) {
    let mut left = MAX_VALUES;
    write(raw, value, MAX_DEPTH, &mut left, out);
}

fn write(raw: &RawDocument, value: &PdfObject, depth: usize, left: &mut usize, out: &mut Vec<u8>) {
    *left = left.saturating_sub(1);
    match raw.resolve(value) {
        PdfObject::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        PdfObject::Integer(value) => out.extend_from_slice(value.to_string().as_bytes()),
        PdfObject::Real(value) => real(*value, out),
        PdfObject::Name(value) => name(value, out),
        PdfObject::Str(value) => string(value, out),
        PdfObject::Array(values) if depth > 0 => {
            out.push(b'[');
            for value in values {
                if *left == 0 {
                    break;
                }
                write(raw, value, depth - 1, left, out);
                out.push(b' ');
            }
            out.push(b']');
        }
        PdfObject::Dict(dict) if depth > 0 => {
            out.extend_from_slice(b"<<");
            for (key, value) in dict {
                if *left == 0 {
                    break;
                }
                name(key, out);
                out.push(b' ');
                write(raw, value, depth - 1, left, out);
            }
            out.extend_from_slice(b">>");
        }
        _ => out.extend_from_slice(b"null"),
    }
}

/// Writes an entry that is an array of numbers.
pub(super) fn numbers(key: &str, numbers: &[f64], out: &mut Vec<u8>) {
    name(key.as_bytes(), out);
    out.push(b'[');
    for number in numbers {
        real(*number, out);
        out.push(b' ');
    }
    out.push(b']');
}

/// Writes a number. Numbers in a PDF have no exponent.
pub(super) fn real(value: f64, out: &mut Vec<u8>) {
    let value = if value.is_finite() { value.clamp(-1e9, 1e9) } else { 0.0 };
    let text = format!("{value:.6}");
    out.extend_from_slice(text.trim_end_matches('0').trim_end_matches('.').as_bytes());
}

/// Writes a name.
pub(super) fn name(value: &[u8], out: &mut Vec<u8>) {
    out.push(b'/');
    for &byte in value {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'+' | b'*') {
            out.push(byte);
        } else {
            out.extend_from_slice(format!("#{byte:02X}").as_bytes());
        }
    }
}

fn string(value: &[u8], out: &mut Vec<u8>) {
    out.push(b'<');
    for byte in value {
        out.extend_from_slice(format!("{byte:02X}").as_bytes());
    }
    out.push(b'>');
}
