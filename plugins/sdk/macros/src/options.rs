//! What stands in the attribute's brackets.

use proc_macro2::Span;
use syn::meta::ParseNestedMeta;
use syn::parse::Parser as _;
use syn::{Error, Expr, LitBool, LitStr, Token};

use crate::resource::{check_media_type, check_uri};

/// Said of an option that does not exist.
const KNOWN: &str = "options of #[tool] are name, title, description, read_only, destructive, idempotent, open_world, resource, mime_type and prompt";

/// A flag and where it was given.
#[derive(Clone, Copy)]
struct Flag {
    value: bool,
    span: Span,
}

/// A text, and where its option was given.
struct Named {
    text: LitStr,
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
    resource: Option<Named>,
    mime_type: Option<Named>,
    prompt: Option<Flag>,
}

impl Options {
    /// Reads them.
    pub(crate) fn parse(tokens: proc_macro2::TokenStream) -> syn::Result<Self> {
        let mut options = Self::default();
        syn::meta::parser(|meta| options.take(&meta)).parse2(tokens)?;
        if let (true, Some(Flag { value: true, span })) = (options.read_only(), options.destructive) {
            return Err(Error::new(span, "a tool that is read_only destroys nothing"));
        }
        options.check_offer()?;
        Ok(options)
    }

    /// What a tool is besides a tool.
    fn check_offer(&self) -> syn::Result<()> {
        let prompt = self.prompt.filter(|prompt| prompt.value);
        match (&self.resource, &self.mime_type, prompt) {
            (None, Some(mime_type), _) => {
                Err(Error::new(mime_type.span, "a mime_type belongs to a resource: add resource = \"…\""))
            }
            (Some(_), _, Some(prompt)) => {
                Err(Error::new(prompt.span, "a tool is a resource or a prompt: it cannot be both"))
            }
            (None, None, Some(prompt)) if !self.read_only() => {
                Err(Error::new(prompt.span, "a prompt changes nothing: add read_only"))
            }
            (Some(resource), ..) if !self.read_only() => {
                Err(Error::new(resource.span, "a resource changes nothing: add read_only"))
            }
            (Some(resource), mime_type, None) => {
                check_uri(&resource.text)?;
                mime_type.as_ref().map_or(Ok(()), |mime_type| check_media_type(&mime_type.text))
            }
            (None, None, _) => Ok(()),
        }
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
            "resource" => once(&mut self.resource, named(meta)?, meta),
            "mime_type" => once(&mut self.mime_type, named(meta)?, meta),
            "prompt" => once(&mut self.prompt, flag(meta)?, meta),
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

    /// The address of the resource that it is.
    pub(crate) fn resource(&self) -> Option<&LitStr> {
        self.resource.as_ref().map(|resource| &resource.text)
    }

    pub(crate) fn mime_type(&self) -> Option<&LitStr> {
        self.mime_type.as_ref().map(|mime_type| &mime_type.text)
    }

    pub(crate) fn prompt(&self) -> bool {
        is_set(self.prompt, false)
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

fn named(meta: &ParseNestedMeta<'_>) -> syn::Result<Named> {
    Ok(Named { text: text(meta)?, span: place(meta) })
}

fn flag(meta: &ParseNestedMeta<'_>) -> syn::Result<Flag> {
    let value = if meta.input.peek(Token![=]) { meta.value()?.parse::<LitBool>()?.value } else { true };
    Ok(Flag { value, span: place(meta) })
}

fn place(meta: &ParseNestedMeta<'_>) -> Span {
    meta.path.get_ident().map_or_else(Span::call_site, proc_macro2::Ident::span)
}
