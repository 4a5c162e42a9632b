//! The function under the attribute, and what is wrong with it.

use syn::spanned::Spanned as _;
use syn::{Attribute, Error, Expr, ExprLit, FnArg, ItemFn, Lit, Meta, ReturnType, Type};

/// Longest name of a tool that a host takes.
const MAX_NAME: usize = 64;

/// What a tool must look like.
const SHAPE: &str = "a tool is a function like `fn my_tool(arguments: Arguments) -> Result<Output, Error>`";

/// The types that a tool's schemas come from.
pub(crate) struct Signature<'a> {
    /// None where the tool takes no arguments.
    pub(crate) arguments: Option<&'a Type>,
    /// The whole return type.
    pub(crate) outcome: &'a Type,
}

impl<'a> Signature<'a> {
    /// Reads it. Every fault is reported at once, each at its place.
    pub(crate) fn read(function: &'a ItemFn) -> syn::Result<Self> {
        let mut faults = Faults(None);
        let signature = &function.sig;
        if let Some(token) = &signature.asyncness {
            faults.add(token.span(), "the host calls a tool and waits for it: take `async` away");
        }
        if let Some(token) = &signature.constness {
            faults.add(token.span(), "a tool cannot be `const`");
        }
        if let Some(token) = &signature.unsafety {
            faults.add(token.span(), "anybody may call a tool: it cannot be `unsafe`");
        }
        if let Some(abi) = &signature.abi {
            faults.add(abi.span(), "a tool is a plain Rust function: take `extern` away");
        }
        if !signature.generics.params.is_empty() {
            faults.add(signature.generics.span(), "a tool has one schema, so it cannot be generic");
        }
        let arguments = arguments(function, &mut faults);
        let outcome = match &signature.output {
            ReturnType::Type(_, outcome) => Some(&**outcome),
            ReturnType::Default => {
                faults.add(signature.ident.span(), &format!("a tool returns a `Result`: {SHAPE}"));
                None
            }
        };
        match (faults.0, outcome) {
            (None, Some(outcome)) => Ok(Self { arguments, outcome }),
            (Some(faults), _) => Err(faults),
            (None, None) => Err(Error::new(signature.ident.span(), SHAPE)),
        }
    }
}

fn arguments<'a>(function: &'a ItemFn, faults: &mut Faults) -> Option<&'a Type> {
    let mut inputs = function.sig.inputs.iter();
    let first = match inputs.next()? {
        FnArg::Typed(input) => match &*input.ty {
            Type::Reference(reference) => {
                faults.add(reference.span(), "a tool owns its arguments: take the `&` away");
                None
            }
            arguments => Some(arguments),
        },
        FnArg::Receiver(receiver) => {
            faults.add(receiver.span(), &format!("a tool has no `self`: {SHAPE}"));
            None
        }
    };
    for other in inputs {
        let message = "a tool takes one value: put this into a struct that derives `Deserialize` and `JsonSchema`";
        faults.add(other.span(), message);
    }
    first
}

/// The doc comment as plain text; none where there is no word in it.
pub(crate) fn doc_comment(attributes: &[Attribute]) -> Option<String> {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(meta) if meta.path.is_ident("doc") => match &meta.value {
            Expr::Lit(ExprLit { lit: Lit::Str(line), .. }) => Some(line.value()),
            _ => None,
        },
        _ => None,
    });
    let lines: Vec<_> =
        lines.flat_map(|text| text.split('\n').map(|line| line.trim().to_owned()).collect::<Vec<_>>()).collect();
    let text = lines.join("\n");
    let text = text.trim();
    if text.is_empty() { None } else { Some(unwrap(text)) }
}

/// Lines that were broken for the width of a source file become one again; paragraphs and lists stay.
fn unwrap(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split('\n') {
        let begins_anew = out.is_empty() || out.ends_with('\n') || line.is_empty() || begins_item(line);
        match (out.is_empty(), begins_anew) {
            (true, _) => {}
            (false, true) => out.push('\n'),
            (false, false) => out.push(' '),
        }
        out.push_str(line);
    }
    out
}

fn begins_item(line: &str) -> bool {
    let number = line.trim_start_matches(|digit: char| digit.is_ascii_digit());
    ["- ", "* ", "+ ", "# ", "> ", "|", "```"].iter().any(|mark| line.starts_with(mark))
        || (number.len() < line.len() && (number.starts_with(". ") || number.starts_with(") ")))
}

/// Whether a host takes this as a tool's name.
pub(crate) fn is_tool_name(name: &str) -> bool {
    name.len() <= MAX_NAME
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

struct Faults(Option<Error>);

impl Faults {
    fn add(&mut self, span: proc_macro2::Span, message: &str) {
        let fault = Error::new(span, message);
        match &mut self.0 {
            Some(faults) => faults.combine(fault),
            None => self.0 = Some(fault),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doc_comment_is_read_as_it_was_meant() {
        let function: ItemFn = syn::parse_quote! {
            /// One sentence that was
            /// broken.
            ///
            /// Then a list:
            /// - one
            ///   and on
            /// - two
            #[other]
            fn a() {}
        };
        let text = doc_comment(&function.attrs);
        assert_eq!(text.as_deref(), Some("One sentence that was broken.\n\nThen a list:\n- one and on\n- two"));
        let function: ItemFn = syn::parse_quote! {
            ///
            fn a() {}
        };
        assert_eq!(doc_comment(&function.attrs), None);
    }

    #[test]
    fn names_are_those_that_a_host_takes() {
        for good in ["a", "my_tool", "t2", &"a".repeat(64)] {
            assert!(is_tool_name(good), "{good}");
        }
        for bad in ["", "A", "_a", "2a", "a-b", "é", &"a".repeat(65)] {
            assert!(!is_tool_name(bad), "{bad}");
        }
    }
}
