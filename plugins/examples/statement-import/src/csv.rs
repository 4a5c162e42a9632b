//! CSV as banks write it: RFC 4180 with a comma, a semicolon or a tab between the fields.

use behalf_sdk::Error;

/// One line of the statement. A field in quotes may go on in the next line of the text.
#[derive(Debug, PartialEq)]
pub(crate) struct Record {
    /// The line of the text that it begins in, from 1.
    pub(crate) line: usize,
    /// Without quotes, and without spaces around them.
    pub(crate) fields: Vec<String>,
}

/// Reads all records. Lines in which nothing stands are left out.
pub(crate) fn read(text: &str) -> Result<Vec<Record>, Error> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let separator = separator(text);
    let mut reader = Reader { separator, records: Vec::new(), fields: Vec::new(), field: String::new(), begin: 1 };
    let (mut line, mut quoted_since) = (1, None);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted_since.is_some() => {
                if characters.next_if_eq(&'"').is_some() {
                    reader.field.push('"');
                } else {
                    quoted_since = None;
                }
            }
            // A quote inside of a field without quotes is a character as any other.
            '"' if reader.field.trim().is_empty() => {
                reader.field.clear();
                quoted_since = Some(line);
            }
            '\r' if quoted_since.is_none() && characters.peek() == Some(&'\n') => {}
            '\n' => {
                line += 1;
                if quoted_since.is_some() {
                    reader.field.push('\n');
                } else {
                    reader.end_record(line);
                }
            }
            other if other == reader.separator && quoted_since.is_none() => reader.end_field(),
            other => reader.field.push(other),
        }
    }
    if let Some(line) = quoted_since {
        return Err(Error::invalid_arguments(format!(
            "The quote that opens in line {line} of the CSV is never closed."
        )));
    }
    reader.end_record(line);
    Ok(reader.records)
}

/// The one of the three that the first line has most of.
fn separator(text: &str) -> char {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let count = |separator: char| first.matches(separator).count();
    [';', '\t'].into_iter().fold(',', |best, other| if count(other) > count(best) { other } else { best })
}

struct Reader {
    separator: char,
    records: Vec<Record>,
    fields: Vec<String>,
    field: String,
    /// The line in which the record begins.
    begin: usize,
}

impl Reader {
    fn end_field(&mut self) {
        self.fields.push(self.field.trim().to_owned());
        self.field.clear();
    }

    fn end_record(&mut self, next: usize) {
        self.end_field();
        let fields = core::mem::take(&mut self.fields);
        if fields.iter().any(|field| !field.is_empty()) {
            self.records.push(Record { line: self.begin, fields });
        }
        self.begin = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Vec<Vec<String>> {
        read(text).expect("CSV").into_iter().map(|record| record.fields).collect()
    }

    #[test]
    fn each_separator_is_found_by_the_first_line() {
        for text in ["a,b\n1,2;3", "a;b\r\n1;2;3", "\u{feff}a\tb\n1\t2,3\n\n"] {
            let all = fields(text);
            assert_eq!((all[0].join("|"), all.len()), ("a|b".to_owned(), 2), "{text:?}");
        }
    }

    #[test]
    fn a_field_in_quotes_holds_separators_quotes_and_lines() {
        let all = read("a,b\n\"x, \"\"y\"\"\nz\" ,2\n3,in \"the\" middle").expect("CSV");
        assert_eq!(all[1], Record { line: 2, fields: vec!["x, \"y\"\nz".into(), "2".into()] });
        assert_eq!(all[2], Record { line: 4, fields: vec!["3".into(), "in \"the\" middle".into()] });
    }

    #[test]
    fn nothing_is_no_record() {
        assert!(fields("").is_empty() && fields("\n \n;;\n").is_empty());
    }

    #[test]
    fn a_quote_that_stays_open_is_said_with_its_line() {
        let error = read("a,b\n1,\"2\n3").expect_err("an error");
        assert!(error.message.contains("line 2"), "{error:?}");
    }
}
