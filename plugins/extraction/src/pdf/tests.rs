//! What is read of ordinary files.

use super::sample::{LINE, file, objects, read};

#[test]
fn a_line_is_read() {
    let (summary, pages) = read(&file(&objects(LINE))).expect("a line of text");
    assert_eq!(summary.format, "pdf");
    assert_eq!(pages.len(), 1);
    assert_eq!(pages[0].text, "Hello plain words");
    assert_eq!(summary.omitted, Vec::<String>::new());
}
