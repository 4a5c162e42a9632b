//! Tests of HTML.

use crate::failure::Reason;
use crate::testing::extract;

fn markdown(html: &str) -> String {
    let pages = extract(html.as_bytes(), "html").expect("HTML with text").1;
    let texts: Vec<String> = pages.into_iter().map(|page| page.text).collect();
    texts.join("\n=====\n")
}

#[test]
fn headings_lists_links_and_code_become_markdown() {
    let html = r#"<!doctype html><html><head><title>A &amp; B</title><meta name="author" content="Ada">
        <style>p { color: red }</style><script>document.write("<p>no")</script></head><body>
        <h1>First  <b>heading</b></h1><p>Some <b>bold</b>, <i>italic</i> and
        <a href="https://example.org/x">a link</a>.<br>Next line</p>
        <ul><li>one<ul><li>inner</ul><li><p>two</p><p>more</p></ul><ol start=3><li>three<li>four</ol>
        <pre>x &lt; y
  z</pre><blockquote>said</blockquote><p hidden>kept</p><div style="display: none">gone <div>too</div></div>
        <p><code>f()</code> &copy; &#8364;</p>"#;
    let (summary, pages) = extract(html.as_bytes(), "").expect("HTML");
    assert_eq!(summary.format, "html");
    assert_eq!((summary.title.as_deref(), summary.author.as_deref()), (Some("A & B"), Some("Ada")));
    let expected = "# First heading\n\nSome **bold**, *italic* and [a link](https://example.org/x).  \nNext line\n\n\
        - one\n    - inner\n- two\n\nmore\n\n3. three\n4. four\n\n```\nx < y\n  z\n```\n\n> said\n\nkept\n\n`f()` © €";
    assert_eq!(pages[0].text, expected);
}

#[test]
fn tables_stay_tables_and_layout_is_text() {
    let html = "<table><caption>Prices</caption><thead><tr><th>a<th colspan=2>b</thead>
        <tr><td rowspan=2>1<td>2<td>3 | 4<tr><td>5</td><td>6</td></tr></table>";
    assert_eq!(markdown(html), "Prices\n\n| a | b |  |\n| --- | --- | --- |\n| 1 | 2 | 3 \\| 4 |\n|  | 5 | 6 |");
    let html = "<table><tr><th rowspan=2>gate</th><th colspan=2>open</th></tr><tr><th>from</th><th>to</th></tr>
        <tr><td>N</td><td>18</td><td>2</td></tr></table>";
    assert_eq!(markdown(html), "| gate | open |  |\n| --- | --- | --- |\n|  | from | to |\n| N | 18 | 2 |");
    let html = "<table><tr><td><table><tr><td>x<td>y<tr><td>1<td>2</table></td></tr><tr><td>after</td></tr></table>";
    assert_eq!(markdown(html), "| x | y |\n| --- | --- |\n| 1 | 2 |\n\nafter");
}

#[test]
fn nothing_outside_of_the_file_is_named_as_a_link() {
    let html = r#"<p>a <a href="javascript:alert(1)">b</a> <a href="/etc/passwd">c</a> <img src="https://x.example/p"
        alt="a picture"><iframe src="https://x.example">frame</iframe></p>"#;
    assert_eq!(markdown(html), "a b c a picture");
}

#[test]
fn a_hundred_thousand_elements_inside_of_each_other_are_read() {
    for name in ["div", "ul", "li", "table", "td", "b", "blockquote", "a", "pre", "p", "h1", "svg", "span hidden"] {
        let begin = format!("<p>begin</p>{}", format!("<{name}>").repeat(100_000));
        let end = format!("</{}>", name.split(' ').next().unwrap_or(name)).repeat(100_000);
        let text = markdown(&format!("{begin}deep{end}<p>end</p>"));
        assert!(text.contains("begin") && text.contains("end"), "{name}");
        assert_eq!(text.contains("deep"), name != "svg" && name != "span hidden", "{name}");
    }
    let rows = "<table><tr><td>x".repeat(100_000);
    assert!(markdown(&rows).contains('x'));
}

#[test]
fn encodings_that_the_file_names_are_used() {
    let html = "<html><head><meta charset=\"iso-8859-2\"></head><p>Łódź, Kraków";
    let bytes = encoding_rs::ISO_8859_2.encode(html).0.into_owned();
    assert_eq!(extract(&bytes, "html").expect("HTML").1[0].text, "Łódź, Kraków");
}

#[test]
fn html_without_text_is_empty() {
    let failure = extract(b"<html><body><script>let x = 1;</script></body></html>", "html");
    assert_eq!(failure.map_err(|failure| failure.reason), Err(Reason::Empty));
}
