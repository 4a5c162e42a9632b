//! Components that nest or multiply without end.

use behalf_sandbox::inspect;
use behalf_tests::{App, User};
use serde_json::json;

use super::refused;

/// Components nested to this depth.
fn nested(depth: usize) -> Vec<u8> {
    let header = b"\0asm\x0d\0\x01\0";
    let mut inner = header.to_vec();
    for _ in 0..depth {
        let mut outer = header.to_vec();
        outer.push(4);
        let mut size = inner.len();
        while size > 0x7f {
            outer.push(u8::try_from(size & 0x7f).unwrap() | 0x80);
            size >>= 7;
        }
        outer.push(u8::try_from(size).unwrap());
        outer.extend_from_slice(&inner);
        inner = outer;
    }
    inner
}

/// A component that imports a function whose argument is a list of lists, to this depth.
fn deep_types(depth: usize) -> Vec<u8> {
    let mut text = String::from("(component (type $t0 (list u8))");
    for level in 1..depth {
        text.push_str(&format!("(type $t{level} (list $t{}))", level - 1));
    }
    text.push_str(&format!(
        "(import \"behalf:tool/log@0.1.0\" (instance (export \"write\" (func (param \"x\" $t{})))))",
        depth - 1
    ));
    text.push(')');
    wat::parse_str(text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn nesting_without_end_overflows_nothing() {
    let app = App::start().await;
    for depth in [17, 200, 3_000] {
        refused(
            "components",
            &app.upload_bytes(nested(depth), &json!({}), "").await,
            400,
            &["nest more than 16 levels"],
        );
    }
    refused("types", &app.upload_bytes(deep_types(3_000), &json!({}), "").await, 400, &["not valid here"]);
    // A component that gets another component could instantiate it any number of times.
    let passed = r#"(component
        (component $a (import "c" (component $c)) (instance (instantiate $c)) (instance (instantiate $c)))
        (component $b)
        (instance (instantiate $a (with "c" (component $b)))))"#;
    let passed = wat::parse_str(passed).unwrap();
    refused("passed", &app.upload_bytes(passed, &json!({}), "").await, 400, &["hands components to components"]);
    assert_eq!(app.get(&User::Nobody, "/healthz").await.status, 200);
}

#[test]
fn many_instances_are_counted_however_they_come_about() {
    let within = |text: String| inspect(&wat::parse_str(text).unwrap()).unwrap_err().to_string();
    let many = |what: &str, count: usize| what.repeat(count);
    for text in [
        format!("(component (core module $m) {})", many("(core instance (instantiate $m))", 1_001)),
        format!("(component (component $c) {})", many("(instance (instantiate $c))", 1_001)),
        // The same component under other names: an alias, an export.
        format!(
            "(component (component $c {}) (component $d (alias outer 1 $c (component $e)) {}) (instance (instantiate $d)))",
            "(core module $m) (core instance (instantiate $m))",
            many("(instance (instantiate $e))", 501),
        ),
        format!(
            "(component (component $c (core module $m) (core instance (instantiate $m))) (export $x \"x\" (component $c)) {})",
            many("(instance (instantiate $x))", 501),
        ),
    ] {
        let error = within(text);
        assert!(error.contains("instances; instantiate less"), "{error}");
    }
    let error = within(format!("(component (component $c) {})", many("(instance (instantiate $c))", 999)));
    assert!(error.contains("does not export"), "as many as are allowed: {error}");
}
