//! Imports an interface that no host has, beside what it should export.

#[allow(missing_docs, clippy::pedantic, reason = "generated code")]
mod bindings {
    wit_bindgen::generate!({
        inline: "
            package elsewhere:power@0.1.0;
            interface root {
                run: func(sql: string) -> string;
            }
            world powerful {
                import root;
            }
        ",
    });
}

use behalf_guests::{Tool, json, text};

const TOOLS: &[Tool] =
    &[("run_as_root", "{sql}", |arguments| Ok(json!(bindings::elsewhere::power::root::run(text(arguments, "sql")))))];

behalf_guests::export_guest!(TOOLS);
