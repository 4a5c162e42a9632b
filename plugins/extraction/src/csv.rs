//! Tables in text: values between commas, semicolons, tabs or bars.

use csv::{ReaderBuilder, StringRecord};

use crate::document::Document;
use crate::failure::{Failure, Stop};
use crate::pages::Pages;
use crate::sheet::Sheet;
use crate::text;

/// Most bytes of a table in text.
const MAX_FILE: u64 = 64 * 1024 * 1024;
/// Lines that decide what is between values.
const LINES: usize = 50;

/// Hands over the rows as tables. `between` is what is between values, if that is known.
pub(crate) fn extract(document: &mut Document<'_>, pages: &mut Pages<'_>, between: Option<u8>) -> Result<(), Stop> {
    let text = text::read(document, MAX_FILE)?;
    // Excel writes what is between values into the first line.
    let named = text.lines().next().and_then(|line| line.strip_prefix("sep=")).map(str::trim_end);
    let body = if named.is_some() { text.split_once('\n').map_or("", |(_, body)| body) } else { &text };
    let delimiter = match named {
        Some(named) if named.len() == 1 => named.as_bytes()[0],
        _ => between.unwrap_or_else(|| delimiter_of(body)),
    };
    let mut reader =
        ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(body.as_bytes());
    let mut sheet = Sheet::new(pages, None);
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|_| Failure::damaged("The file is damaged: it is no table."))? {
        sheet.add((0..).zip(&record).map(|(column, value)| (column, value.trim().into())).collect())?;
    }
    sheet.finish()
}

/// What is between values: what as many lines as possible have as often as the first one.
fn delimiter_of(text: &str) -> u8 {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).take(LINES).collect();
    let count = |line: &str, delimiter: u8| {
        let mut quoted = false;
        line.bytes()
            .filter(|byte| {
                quoted ^= *byte == b'"';
                !quoted && *byte == delimiter
            })
            .count()
    };
    let score = |delimiter: u8| {
        let first = lines.first().map_or(0, |line| count(line, delimiter));
        let equal = lines.iter().filter(|line| count(line, delimiter) == first).count();
        (if first == 0 { 0 } else { equal }, first)
    };
    // Of equal ones the last wins.
    [b'|', b'\t', b';', b','].into_iter().max_by_key(|delimiter| score(*delimiter)).unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use crate::testing::extract;

    #[test]
    fn tables_in_text_become_tables() {
        let expected = "| name | price |\n| --- | --- |\n| a, b | 1.5 |\n| c\\|d<br>e |";
        let cases = [
            "name,price\n\"a, b\",1.5\n\"c|d\ne\",\n",
            "name;price\na, b;1.5\n\"c|d\ne\";\n\n;;\n",
            "sep=;\r\nname;price\r\na, b;1.5\r\n\"c|d\ne\"\r\n",
        ];
        for case in cases {
            let (summary, pages) = extract(case.as_bytes(), "csv").expect("a table");
            assert_eq!((summary.format, pages[0].text.as_str()), ("csv", expected));
        }
        let pages = extract(b"name\tprice\na, b\t1.5", "tsv").expect("a table").1;
        assert_eq!(pages[0].text, "| name | price |\n| --- | --- |\n| a, b | 1.5 |");
    }

    #[test]
    fn an_open_quote_ends_with_the_file() {
        let pages = extract(b"a,b\n\"1,2\n3,4", "csv").expect("a table").1;
        assert_eq!(pages[0].text, "| a | b |\n| --- | --- |\n| 1,2<br>3,4 |");
    }
}
