//! Components that a test makes from text, where their exact content matters.

use std::fmt::Write as _;

/// A component from a file in text form.
pub fn from_text(path: &str) -> Vec<u8> {
    wat::parse_file(path).unwrap_or_else(|error| panic!("{error}"))
}

/// A small plugin without imports. It has these definitions and answers every call with this text.
pub fn plugin(definitions: &str, result: &str) -> Vec<u8> {
    made("", definitions, result)
}

/// A small plugin with one tool `x`, which imports a function of an interface.
pub fn importing(interface: &str, function: &str) -> Vec<u8> {
    let definition =
        serde_json::json!([{"name": "x", "description": "made by a test", "inputSchema": {"type": "object"}}]);
    let import = format!(r#"(import "{interface}" (instance (export "{function}" (func))))"#);
    made(&import, &definition.to_string(), "{}")
}

fn made(imports: &str, definitions: &str, result: &str) -> Vec<u8> {
    // Eight bytes point at the definitions; twelve bytes are the result: ok, and a pointer to its text.
    let after = 64 + definitions.len();
    let word = |number: usize| escaped(&u32::try_from(number).expect("an address has 32 bits").to_le_bytes());
    let pages = (after + result.len()) / 65_536 + 80;
    let text = format!(
        r#"(component
  {imports}
  (core module $core
    (memory (export "memory") {pages})
    (global $next (mut i32) (i32.const {free}))
    (data (i32.const 16) "{definitions_at}{definitions_len}")
    (data (i32.const 32) "\00\00\00\00{result_at}{result_len}")
    (data (i32.const 64) "{definitions}{result}")
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (local.get $at))
    (func (export "definitions") (result i32) (i32.const 16))
    (func (export "call") (param i32 i32 i32 i32) (result i32) (i32.const 32)))
  (core instance $core (instantiate $core))
  (alias core export $core "memory" (core memory $memory))
  (alias core export $core "realloc" (core func $realloc))
  (alias core export $core "definitions" (core func $core-definitions))
  (alias core export $core "call" (core func $core-call))
  (type $error (record (field "code" string) (field "message" string) (field "retryable" bool)))
  (func $definitions (result string) (canon lift (core func $core-definitions) (memory $memory)))
  (func $call (param "name" string) (param "arguments" string) (result (result string (error $error)))
    (canon lift (core func $core-call) (memory $memory) (realloc $realloc)))
  (component $tool
    (type $record (record (field "code" string) (field "message" string) (field "retryable" bool)))
    (import "error" (type $error (eq $record)))
    (import "definitions" (func $definitions (result string)))
    (import "call"
      (func $call (param "name" string) (param "arguments" string) (result (result string (error $error)))))
    (export $exported "error" (type $error))
    (export "definitions" (func $definitions))
    (export "call" (func $call)
      (func (param "name" string) (param "arguments" string) (result (result string (error $exported))))))
  (instance $tool (instantiate $tool
    (with "error" (type $error)) (with "definitions" (func $definitions)) (with "call" (func $call))))
  (export "behalf:tool/tool@0.1.0" (instance $tool)))"#,
        free = after + result.len(),
        definitions_at = word(64),
        definitions_len = word(definitions.len()),
        result_at = word(after),
        result_len = word(result.len()),
        definitions = escaped(definitions.as_bytes()),
        result = escaped(result.as_bytes()),
    );
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"))
}

/// A small plugin with one tool of this name and this input schema; it answers `{}`.
pub fn tool(name: &str, schema: &serde_json::Value) -> Vec<u8> {
    let definition = serde_json::json!([{"name": name, "description": "made by a test", "inputSchema": schema}]);
    plugin(&definition.to_string(), "{}")
}

/// Bytes as a string literal of the text format.
fn escaped(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut all, byte| {
        write!(all, "\\{byte:02x}").expect("writing to a string cannot fail");
        all
    })
}
