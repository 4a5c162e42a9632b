//! Ordinary statements in which one name is replaced by a forbidden one: the gate must refuse each, wherever the name
//! occurs.

use pg_query::protobuf::{ScanToken, Token};

use super::super::{check, functions};
use super::writer;

/// The statement in as many versions as `pick` finds tokens in it, each with that token replaced.
fn swapped(sql: &str, by: &str, pick: impl Fn(&ScanToken, &ScanToken, &ScanToken) -> bool) -> Vec<String> {
    let tokens = pg_query::scan_tokens(sql).expect("an ordinary statement");
    let versions = tokens.windows(3).filter_map(|window| {
        let [before, token, after] = window else { return None };
        let (start, end) = (usize::try_from(token.start).ok()?, usize::try_from(token.end).ok()?);
        pick(before, token, after).then(|| format!("{}{by}{}", &sql[..start], &sql[end..]))
    });
    versions.collect()
}

fn text<'a>(sql: &'a str, token: &ScanToken) -> &'a str {
    let (start, end) =
        (usize::try_from(token.start).expect("an offset"), usize::try_from(token.end).expect("an offset"));
    &sql[start..end]
}

fn is(token: &ScanToken, kinds: &[Token]) -> bool {
    Token::try_from(token.token).is_ok_and(|kind| kinds.contains(&kind))
}

/// Every ordinary statement, with a token after it, so that a window of three reaches all of them.
fn ordinary() -> Vec<String> {
    super::ordinary::all().map(|sql| format!("{sql}\n;")).collect()
}

#[test]
fn a_swapped_function_is_refused() {
    let mut count = 0;
    for sql in ordinary() {
        let function = |_: &ScanToken, token: &ScanToken, after: &ScanToken| {
            functions::is_allowed(&text(&sql, token).to_lowercase()) && is(after, &[Token::Ascii40])
        };
        for version in swapped(&sql, "set_config", function) {
            assert!(check(&version, &writer()).is_err(), "{version}");
            count += 1;
        }
    }
    assert!(count > 70, "{count}");
}

#[test]
fn a_swapped_type_is_refused() {
    let mut count = 0;
    for sql in ordinary() {
        for version in swapped(&sql, "regclass", |before, _, _| is(before, &[Token::Typecast])) {
            assert!(check(&version, &writer()).is_err(), "{version}");
            count += 1;
        }
    }
    assert!(count > 15, "{count}");
}

#[test]
fn a_swapped_relation_is_refused() {
    let tables = ["notes", "documents", "orders", "open_orders", "totals"];
    let verbs = [Token::From, Token::Join, Token::Into, Token::Update, Token::Using, Token::Table];
    let mut count = 0;
    for sql in ordinary() {
        let relation = |before: &ScanToken, token: &ScanToken, after: &ScanToken| {
            is(before, &verbs) && tables.contains(&text(&sql, token)) && !is(after, &[Token::Ascii46])
        };
        for hidden in ["private.secrets", "secrets", "pg_authid", "pg_catalog.pg_class"] {
            for version in swapped(&sql, hidden, relation) {
                assert_eq!(
                    check(&version, &writer()).map_err(|refusal| refusal.rule()),
                    Err("relation_not_granted"),
                    "{version}"
                );
                count += 1;
            }
        }
    }
    assert!(count > 200, "{count}");
}

#[test]
fn a_swapped_operator_is_refused() {
    let operators = ["||", "->", "->>", "<->", "@@", "+", "=", ">", "~*", "@>"];
    let mut count = 0;
    for sql in ordinary() {
        let operator = |_: &ScanToken, token: &ScanToken, _: &ScanToken| operators.contains(&text(&sql, token));
        for version in swapped(&sql, " operator(private.+) ", operator) {
            assert!(check(&version, &writer()).is_err(), "{version}");
            count += 1;
        }
    }
    assert!(count > 40, "{count}");
}
