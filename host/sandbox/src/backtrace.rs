//! Where a guest was when it crashed, in the names of its own functions.

use wasmtime::{FrameInfo, WasmBacktrace};

/// Frames that are looked at; a stack that ran over has thousands.
const MAX_FRAMES: usize = 60;
/// Names that are shown.
const MAX_NAMES: usize = 20;
/// Characters of a name.
const MAX_CHARS: usize = 160;

/// How names begin that say how a crash is made and not where.
const MACHINERY: [&str; 12] = [
    "std::", "core::", "alloc::", "<std::", "<core::", "<alloc::", "__rust", "_rust", "rust_", "__rustc", "abort",
    "panic_",
];

/// The functions that a crashed guest was in, the innermost first, one a line. `None` where the error says nothing of them. The
/// names are the guest's own words.
pub(crate) fn backtrace(error: &wasmtime::Error) -> Option<String> {
    let trace = error.downcast_ref::<WasmBacktrace>()?;
    let mut names: Vec<_> = trace.frames().iter().take(MAX_FRAMES).map(name).collect();
    // One that calls itself is said once.
    names.dedup();
    let is_own = |name: &String| !MACHINERY.iter().any(|machinery| name.starts_with(machinery));
    if names.iter().any(is_own) {
        names.retain(is_own);
    }
    names.truncate(MAX_NAMES);
    (!names.is_empty()).then(|| format!("crashed in\n  {}", names.join("\n  ")))
}

/// The function's name as its author wrote it, where the component has names.
fn name(frame: &FrameInfo) -> String {
    let Some(name) = frame.func_name() else { return format!("function {}", frame.func_index()) };
    // Without the hash that compilers append.
    let name = format!("{:#}", rustc_demangle::demangle(name));
    name.chars().take(MAX_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use wasmtime::{Engine, Instance, Module, Store};

    use super::*;

    /// Functions as Rust's compiler names them, the outermost first.
    const MODULE: &str = r#"(module
        (func $_ZN4core9panicking5panic17h0123456789abcdefE unreachable)
        (func $_ZN7my_tool6helper17h0123456789abcdefE (param i32)
          (if (local.get 0)
            (then (call $_ZN7my_tool6helper17h0123456789abcdefE (i32.sub (local.get 0) (i32.const 1)))))
          (call $_ZN4core9panicking5panic17h0123456789abcdefE))
        (func $in_c (export "run") (call $_ZN7my_tool6helper17h0123456789abcdefE (i32.const 3))))"#;

    fn crash(text: &str) -> wasmtime::Error {
        let engine = Engine::default();
        let bytes = wat::parse_str(text).expect("a module");
        let module = Module::new(&engine, bytes).expect("a module");
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).expect("an instance");
        let run = instance.get_typed_func::<(), ()>(&mut store, "run").expect("it is exported");
        run.call(&mut store, ()).expect_err("it crashes")
    }

    #[test]
    fn a_crash_names_the_authors_functions_once() {
        let shown = backtrace(&crash(MODULE)).expect("a backtrace");
        assert_eq!(shown, "crashed in\n  my_tool::helper\n  in_c");
    }

    #[test]
    fn what_has_no_names_of_its_own_is_shown_as_it_is() {
        let shown = backtrace(&crash("(module (func (export \"run\") unreachable))")).expect("a backtrace");
        assert_eq!(shown, "crashed in\n  function 0");
        assert_eq!(backtrace(&wasmtime::Error::msg("no crash")), None);
    }
}
