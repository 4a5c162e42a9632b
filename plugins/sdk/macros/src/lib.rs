//! The `#[tool]` attribute of `behalf-sdk`, which re-exports and documents it.

mod expand;
mod function;
mod options;
mod resource;

use proc_macro::TokenStream;

/// Makes a tool of a function: `#[tool] fn my_tool(arguments: Arguments) -> Result<Output, Error>`.
///
/// The function stays what it is, so that a test calls it. Beside it, under its name, a type appears that
/// `export_tools!` takes.
///
/// The doc comment is the tool's description, which a model reads to choose it. The schemas are those of the argument's
/// and the result's type; a result that is no object, such as a list or a `Content`, has none, because MCP knows only schemas of objects.
/// A prompt has none either.
///
/// | option | meaning |
/// |---|---|
/// | `name = "…"` | the tool's name, where it is not the function's: `[a-z][a-z0-9_]{0,63}` |
/// | `title = "…"` | a name for people |
/// | `description = "…"` | the description, where it is not the doc comment; any constant expression |
/// | `read_only` | it changes nothing |
/// | `destructive = false` | it changes things, but only adds to them; without `read_only` and this, a tool counts as destructive |
/// | `idempotent` | calling it twice with the same arguments does what calling it once does |
/// | `open_world` | it reaches beyond the project's database, over HTTP for instance |
/// | `resource = "…"` | it is an MCP resource as well, with this address; variables in braces are its arguments: `notes://{id}`; needs `read_only` |
/// | `mime_type = "…"` | the media type of the resource |
/// | `prompt` | it is an MCP prompt as well; needs `read_only`, and is no resource |
#[proc_macro_attribute]
pub fn tool(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::tool(options.into(), item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}
