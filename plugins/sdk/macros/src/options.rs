//! What stands in the attribute's brackets.

use proc_macro2::Span;
use syn::meta::ParseNestedMeta;
use syn::parse::Parser as _;
use syn::{Error, Expr, LitBool, LitStr, Token};

/// Said of an option that does not exist.
const KNOWN: &str =
    "options of #[tool] are name, title, description, read_only, destructive, idempotent and open_world";

/// A flag and where it was given.
#[derive(Clone, Copy)]
struct Flag {
    value: bool,
    span: Span,
}

/// The options as they were given.
#[derive(Default)]
pub(crate) struct Options {
    /// The tool's name, where it is not the function's.
    pub(crate) name: Option<LitStr>,
    /// The name for people.
    pub(crate) title: Option<LitStr>,
    /// The description, where it is not the doc comment.
    pub(crate) description: Option<Expr>,
    read_only: Option<Flag>,
    destructive: Option<Flag>,
    idempotent: Option<Flag>,
    open_world: Option<Flag>,
}

impl Options {
    /// Reads them.
    pub(crate) fn parse(tokens: proc_macro2::TokenStream) -> syn::Result<Self> {
        let mut options = Self::default();
        syn::meta::parser(|meta| options.take(&meta)).parse2(tokens)?;
        if let (true, Some(Flag { value: true, span })) = (options.read_only(), options.destructive) {
            return Err(Error::new(span, "a tool that is read_only destroys nothing"));
        }
        Ok(options)
    }

    fn take(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        let Some(option) = meta.path.get_ident() else { return Err(meta.error(KNOWN)) };
        match option.to_string().as_str() {
            "name" => once(&mut self.name, text(meta)?, meta),
            "title" => once(&mut self.title, text(meta)?, meta),
            "description" => once(&mut self.description, meta.value()?.parse()?, meta),
            "read_only" => once(&mut self.read_only, flag(meta)?, meta),
            "destructive" => once(&mut self.destructive, flag(meta)?, meta),
            "idempotent" => once(&mut self.idempotent, flag(meta)?, meta),
            "open_world" => once(&mut self.open_world, flag(meta)?, meta),
            _ => Err(meta.error(KNOWN)),
        }
    }

    pub(crate) fn read_only(&self) -> bool {
        is_set(self.read_only, false)
    }

    /// What is not said to be harmless is not harmless; that is MCP's rule too.
    pub(crate) fn destructive(&self) -> bool {
        is_set(self.destructive, !self.read_only())
    }

    pub(crate) fn idempotent(&self) -> bool {
        is_set(self.idempotent, false)
    }

    /// A component has no way out that it was not granted, so most tools have none.
    pub(crate) fn open_world(&self) -> bool {
        is_set(self.open_world, false)
    }
}

fn is_set(flag: Option<Flag>, default: bool) -> bool {
    flag.map_or(default, |flag| flag.value)
}

fn once<T>(place: &mut Option<T>, value: T, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(meta.error("this option is given twice")),
    }
}

fn text(meta: &ParseNestedMeta<'_>) -> syn::Result<LitStr> {
    let text: LitStr = meta.value()?.parse()?;
    if text.value().trim().is_empty() { Err(Error::new(text.span(), "this must not be empty")) } else { Ok(text) }
}

fn flag(meta: &ParseNestedMeta<'_>) -> syn::Result<Flag> {
    let value = if meta.input.peek(Token![=]) { meta.value()?.parse::<LitBool>()?.value } else { true };
    let span = meta.path.get_ident().map_or_else(Span::call_site, proc_macro2::Ident::span);
    Ok(Flag { value, span })
}
