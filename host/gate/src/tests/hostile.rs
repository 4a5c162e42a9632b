//! Texts that attack the parser's time or stack: each gets an answer in reasonable time on an ordinary thread's stack.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::{Gate, Refusal, check};
use super::{reader, writer};

/// `open` and `close` around a middle, as often as fits, and once far more often than may be.
fn nested(open: &str, middle: &str, close: &str, times: usize) -> String {
    format!("select {}{middle}{}", open.repeat(times), close.repeat(times))
}

#[expect(clippy::too_many_lines, reason = "a table, one line a statement")]
fn hostile() -> Vec<(&'static str, String)> {
    let fill = |open: &str, close: &str| 65_000 / (open.len() + close.len());
    let all = |open: &'static str, middle: &str, close: &'static str| nested(open, middle, close, fill(open, close));
    vec![
        ("parentheses", all("(", "1", ")")),
        ("open parentheses", all("(", "1", "")),
        ("closing parentheses", all("", "1", ")")),
        ("not", all("not ", "true", "")),
        ("minus", all("- ", "1", "")),
        ("or", all("", "true", " or true")),
        ("and", all("", "true", " and true")),
        ("plus", all("", "1", "+1")),
        ("concatenation", all("", "'a'", "||'a'")),
        ("comparison", all("", "1", "<1")),
        ("sub-selects", all("(select ", "1", ")")),
        ("sub-selects in from", format!("select * from {}notes{}", "(select * from ".repeat(3000), ") a".repeat(3000))),
        ("case", all("case when true then ", "1", " end")),
        ("else", all("case when true then 1 else ", "1", " end")),
        ("coalesce", all("coalesce(", "1", ")")),
        ("array", all("array[", "1", "]")),
        ("row", all("row(", "1", ")")),
        ("calls", all("lower(", "'a'", ")")),
        ("casts", all("", "1", "::int")),
        ("subscripts", all("", "a", "[1]")),
        ("fields", all("", "(a)", ".b")),
        ("collate", all("", "'a'", " collate \"C\"")),
        ("is null", all("", "(1)", " is null")),
        ("at time zone", all("", "now()", " at time zone 'utc'")),
        ("union", all("", "1", " union select 1")),
        ("union in parentheses", format!("{}select 1{}", "(".repeat(3000), " union select 1)".repeat(3000))),
        ("intersect", all("", "1", " intersect select 1")),
        ("joins", format!("select * from notes{}", " join notes using (a)".repeat(3000))),
        ("commas", format!("select * from notes{}", ", notes".repeat(8000))),
        ("with in with", format!("{}select 1{}", "with a as (".repeat(3000), ") select 1".repeat(3000))),
        ("many ctes", format!("with a as (select 1){} select 1", ", a as (select 1)".repeat(3700))),
        (
            "recursive ctes",
            format!(
                "with recursive a as (select 1){} select * from {}a",
                ", a as (select * from b)".repeat(1200),
                "b, ".repeat(9000)
            ),
        ),
        ("values", format!("values (1){}", ", (1)".repeat(12_000))),
        ("in list", format!("select 1 in (1{})", ",1".repeat(30_000))),
        ("targets", format!("select 1{}", ",1".repeat(30_000))),
        ("parameters", format!("select $1{}", ",$1".repeat(20_000))),
        ("order by", format!("select 1 order by 1{}", ",1".repeat(30_000))),
        ("grouping sets", format!("select 1 group by {}a{}", "grouping sets (".repeat(4000), ")".repeat(4000))),
        ("json", all("json_array(", "1", ")")),
        ("xml", all("xmlelement(name a, ", "1", ")")),
        ("interval", all("interval ", "'1'", "")),
        ("dots", format!("select a{}", ".a".repeat(32_000))),
        ("schemas", format!("select * from a{}", ".a".repeat(32_000))),
        ("calls of dots", format!("select a{}()", ".a".repeat(32_000))),
        ("pluses", format!("select 1 {} 1", "+".repeat(60_000))),
        ("short runs of pluses", format!("select 1{}", format!(" {} 1", "+".repeat(32)).repeat(1850))),
        ("runs of comments", format!("select {} 1", format!("{} ", "/**/".repeat(64)).repeat(250))),
        ("runs of open comments", format!("select {} 1", format!("{} ", "/*".repeat(128)).repeat(250))),
        ("runs of operators", format!("select {} 1", format!("{} ", "*/".repeat(128)).repeat(250))),
        ("nested comments in steps", format!("select {}{} 1", "/* ".repeat(10_000), "*/ ".repeat(10_000))),
        ("comments in steps", format!("{} select 1", "/**/ ".repeat(13_000))),
        ("plus and minus", format!("select 1 {} 1", "+-".repeat(30_000))),
        ("operators", format!("select 1 {} 1", "*/".repeat(30_000))),
        ("stars and pluses", format!("select 1 {} 1", "*+".repeat(30_000))),
        ("question marks and pluses", format!("select 1 ?{} 1", "+".repeat(60))),
        ("equals", format!("select 1{}", "=".repeat(60_000))),
        ("minuses", format!("select 1 {} 1", "-".repeat(60_000))),
        ("slashes", format!("select 1 {} 1", "/".repeat(60_000))),
        ("less thans", format!("select 1 {}", "< ".repeat(30_000))),
        ("quotes", format!("select {}", "'".repeat(64_000))),
        ("double quotes", format!("select {}", "\"\"".repeat(32_000))),
        ("literals on lines", format!("select {}", "'a'\n".repeat(16_000))),
        ("dollars", format!("select {}", "$a".repeat(32_000))),
        ("backslashes", format!("select E'{}'", "\\".repeat(64_000))),
        ("escapes", format!("select E'{}'", "\\u0061".repeat(10_000))),
        ("unicode escapes", format!("select U&'{}'", "\\0061".repeat(12_000))),
        ("digits", format!("select {}", "1".repeat(64_000))),
        ("digits and letters", format!("select {}", "1a".repeat(32_000))),
        ("underscores", format!("select 1{}", "_1".repeat(32_000))),
        ("points", format!("select {}", "1.".repeat(32_000))),
        ("a long name", format!("select \"{}\" from \"{}\"", "é".repeat(15_000), "é".repeat(15_000))),
        ("a long literal", format!("select '{}'", "a".repeat(65_000))),
        ("an open literal", format!("select '{}", "a".repeat(65_000))),
        ("an open name", format!("select \"{}", "a".repeat(65_000))),
        ("an open dollar", format!("select $a${}", "$".repeat(65_000))),
        ("an open comment", format!("select {}", "/*".repeat(32_000))),
        ("comments", format!("{} select 1", "/**/".repeat(16_000))),
        ("nested comments", format!("select {}{} 1", "/*".repeat(16_000), "*/".repeat(16_000))),
        ("semicolons", format!("select 1{}", ";".repeat(65_000))),
        ("nothing", ";".repeat(65_000)),
        ("a bad escape", "select E'\\uD800'".to_owned()),
        ("a zero escape", "select U&'\\0000', E'\\x00', E'\\000'".to_owned()),
        ("a bad uescape", "select U&'a' uescape '+'".to_owned()),
        ("a big number", format!("select 1{}, $99999999999, 0x{}", "0".repeat(30_000), "f".repeat(30_000))),
        ("a big array bound", "select '{}'::int[99999999999]".to_owned()),
        ("a byte order mark", "\u{feff}select 1".to_owned()),
        ("control characters", "select \u{1}\u{2}\u{7f}".to_owned()),
        ("letters of all kinds", "select 'ß\u{10ffff}\u{202e}' as \u{1f980} from notes -- \u{2028}".to_owned()),
        ("white space", " \t\n\r\u{b}\u{c}".repeat(10_000)),
    ]
}

#[test]
fn no_hostile_text_ends_the_process() {
    // On the smallest stack that is promised, and one after the other, so that what the parser keeps is met again.
    let work = || {
        for (what, sql) in hostile() {
            let begun = Instant::now();
            drop(check(&sql, &writer()));
            // Generous, because this is a debug build on a busy machine; it is there to catch what grows with the
            // square.
            assert!(begun.elapsed() < Duration::from_secs(5), "{what}: {:?}", begun.elapsed());
        }
    };
    let thread = std::thread::Builder::new().stack_size(1024 * 1024).spawn(work).expect("a thread");
    thread.join().expect("the thread ends by itself");
}

#[test]
fn deep_statements_are_refused_as_such() {
    for sql in [
        nested("(select ", "1", ")", 3000),
        nested("not ", "true", "", 3000),
        nested("", "1", "+1", 3000),
        nested("lower(", "'a'", ")", 3000),
        nested("", "1", " union select 1", 3000),
    ] {
        let start: String = sql.chars().take(40).collect();
        assert_eq!(check(&sql, &reader()), Err(Refusal::TooDeep), "{start}");
    }
    for sql in [
        nested("(select ", "1", ")", 10),
        nested("", "'a'", "||'a'", 40),
        nested("", "1", " union all select 1", 60),
        nested("", "true", " and true", 2000),
        nested("(", "1", ")", 1000),
    ] {
        let start: String = sql.chars().take(40).collect();
        assert!(check(&sql, &reader()).is_ok(), "{start}");
    }
}

#[test]
fn texts_without_one_statement_are_refused() {
    let long = format!("select '{}'", "a".repeat(20 * 1024 * 1024));
    for (sql, rule) in [
        (long.as_str(), "text_too_long"),
        ("select 1\0", "nul_character"),
        ("select 'a\0b'", "nul_character"),
        ("", "empty"),
        (" ; ;; ", "empty"),
        ("-- select 1", "empty"),
        ("/* select 1 */", "empty"),
        ("select 'a", "syntax"),
        ("select \"a", "syntax"),
        ("select /* a", "syntax"),
        ("select $a$ b", "syntax"),
        ("select 1 frm x", "syntax"),
        ("selct 1", "statement_not_allowed"),
        ("select (1", "syntax"),
        ("select 1)", "syntax"),
        ("select from where", "syntax"),
        ("(", "syntax"),
        ("with", "syntax"),
    ] {
        let start: String = sql.chars().take(40).collect();
        let refusal = check(sql, &reader()).expect_err(&start);
        assert_eq!(refusal.rule(), rule, "{start}: {refusal}");
    }
}

#[test]
fn a_refusal_is_short_whatever_the_statement_holds() {
    let name = "é".repeat(15_000);
    for sql in [
        format!("select * from \"{name}\".\"{name}\""),
        format!("select \"{name}\"(1)"),
        format!("select 1::\"{name}\""),
        format!("select 1 {} 2", "~".repeat(60)),
        format!("{name} x"),
        format!("select 1 1 '{name}'"),
    ] {
        let refusal = check(&sql, &reader()).expect_err("a made-up name");
        assert!(refusal.to_string().len() < 700, "{refusal}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gate_answers_as_the_check_does_and_remembers() {
    let gate = Arc::new(Gate::new());
    let (reader, writer) = (Arc::new(reader()), Arc::new(writer()));
    let insert = "insert into notes (id) values ($1)";
    let first = gate.check(insert, &writer).await.expect("an ordinary statement");
    let second = gate.check(insert, &writer).await.expect("an ordinary statement");
    assert!(Arc::ptr_eq(&first, &second));
    let refused = gate.check(insert, &reader).await.expect_err("a write");
    assert!(Arc::ptr_eq(&refused, &gate.check(insert, &reader).await.expect_err("a write")));
    let long = "a".repeat(1 << 20);
    assert_eq!(gate.check(&long, &reader).await.expect_err("a long text").rule(), "text_too_long");
    let mut tasks = Vec::new();
    for (_, sql) in hostile() {
        let (gate, reader) = (Arc::clone(&gate), Arc::clone(&reader));
        tasks
            .push(tokio::spawn(async move { (gate.check(&sql, &reader).await.is_ok(), check(&sql, &reader).is_ok()) }));
    }
    for task in tasks {
        let (gate, alone) = task.await.expect("no panic");
        assert_eq!(gate, alone);
    }
}

#[tokio::test]
async fn a_caller_that_gives_up_holds_up_nobody() {
    let gate = Gate::new();
    let policy = Arc::new(reader());
    for number in 0..200 {
        let sql = format!("select {number}{}", "+1".repeat(3000));
        drop(tokio::time::timeout(Duration::from_micros(50), gate.check(&sql, &policy)).await);
    }
    assert!(gate.check("select 1", &policy).await.is_ok());
}
