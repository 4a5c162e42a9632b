//! Imports a later version of our own package, with a function that this host does not have.

#[allow(missing_docs, clippy::pedantic, reason = "generated code")]
mod bindings {
    wit_bindgen::generate!({
        inline: "
            package behalf:tool@0.2.0;
            interface caller {
                act-as: func(subject: string);
            }
            world newer {
                import caller;
            }
        ",
    });
}

use behalf_guests::{Tool, json, text};

const TOOLS: &[Tool] = &[("act_as", "{subject}", |arguments| {
    bindings::behalf::tool::caller::act_as(text(arguments, "subject"));
    Ok(json!({}))
})];

behalf_guests::export_guest!(TOOLS);
