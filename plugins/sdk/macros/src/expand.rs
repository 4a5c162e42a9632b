//! What the attribute leaves in its place.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{Error, Item, ItemFn, LitStr};

use crate::function::{Signature, doc_comment, is_tool_name};
use crate::options::Options;

/// The function, and a type of its name that `export_tools!` takes.
pub(crate) fn tool(options: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let options = Options::parse(options)?;
    let function = match syn::parse2::<Item>(item)? {
        Item::Fn(function) => function,
        other => return Err(Error::new(other.span(), "#[tool] stands above a function")),
    };
    // A faulty function is left in its place, so that its name is not reported missing as well.
    let callable = callable(&options, &function).unwrap_or_else(|faults| placeholder(&function, &faults));
    Ok(quote! {
        #[allow(clippy::needless_pass_by_value, clippy::unnecessary_wraps, reason = "every tool is of this shape")]
        #function
        #callable
    })
}

fn callable(options: &Options, function: &ItemFn) -> syn::Result<TokenStream> {
    let Signature { arguments, outcome } = Signature::read(function)?;
    let name = name(options, function)?;
    let description = description(options, function)?;
    let title = option(options.title.as_ref());
    let (read_only, destructive) = (options.read_only(), options.destructive());
    let (idempotent, open_world, prompt) = (options.idempotent(), options.open_world(), options.prompt());
    let resource = resource(options);

    let (visibility, ident) = (&function.vis, &function.sig.ident);
    let exported = quote!(::behalf_sdk::exported);
    let (arguments, call) = match arguments {
        Some(arguments) => (quote!(#arguments), quote!(#ident)),
        None => (quote!(#exported::NoArguments), quote!(|_: #exported::NoArguments| #ident())),
    };
    // Where a type lacks what a tool needs, the compiler points at the type.
    let output = quote_spanned!(outcome.span()=> <#outcome as #exported::Outcome>::Output);
    let about = format!("The tool `{}`, for `export_tools!`.", name.value());
    let cfgs = function.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg"));
    let cfgs: Vec<_> = cfgs.collect();
    Ok(quote! {
        #(#cfgs)*
        #[doc = #about]
        #[allow(non_camel_case_types, reason = "it shares its function's name")]
        #visibility struct #ident {}

        #(#cfgs)*
        #[automatically_derived]
        impl #exported::Callable for #ident {
            const NAME: &'static str = #name;

            fn definition() -> #exported::Cow<'static, str> {
                #exported::Definition {
                    name: #name,
                    title: #title,
                    description: #description,
                    annotations: #exported::Annotations {
                        read_only: #read_only,
                        destructive: #destructive,
                        idempotent: #idempotent,
                        open_world: #open_world,
                    },
                    resource: #resource,
                    prompt: #prompt,
                }
                .text::<#arguments, #output>()
            }

            fn call(arguments: &str) -> ::core::result::Result<#exported::String, ::behalf_sdk::Error> {
                #exported::run(#name, arguments, #call)
            }
        }
    })
}

/// The resource that a tool is, if it is one.
fn resource(options: &Options) -> TokenStream {
    let mime_type = option(options.mime_type());
    let resource = options.resource().map(|uri| {
        quote!(::behalf_sdk::exported::Resource {
            uri: #uri,
            mime_type: #mime_type,
        })
    });
    option(resource.as_ref())
}

fn option(value: Option<&impl ToTokens>) -> TokenStream {
    value.map_or_else(|| quote!(::core::option::Option::None), |value| quote!(::core::option::Option::Some(#value)))
}

/// The faults, and a type that `export_tools!` takes all the same: it would add nothing but noise.
fn placeholder(function: &ItemFn, faults: &Error) -> TokenStream {
    let faults = faults.to_compile_error();
    let (visibility, ident) = (&function.vis, &function.sig.ident);
    let exported = quote!(::behalf_sdk::exported);
    quote! {
        #faults

        #[allow(non_camel_case_types, reason = "it shares its function's name")]
        #[doc(hidden)]
        #visibility struct #ident {}

        #[automatically_derived]
        impl #exported::Callable for #ident {
            const NAME: &'static str = "";

            fn definition() -> #exported::Cow<'static, str> {
                ::core::unreachable!()
            }

            fn call(_: &str) -> ::core::result::Result<#exported::String, ::behalf_sdk::Error> {
                ::core::unreachable!()
            }
        }
    }
}

fn name(options: &Options, function: &ItemFn) -> syn::Result<LitStr> {
    let ident = &function.sig.ident;
    let name = options.name.clone().unwrap_or_else(|| LitStr::new(&ident.unraw().to_string(), ident.span()));
    if is_tool_name(&name.value()) {
        return Ok(name);
    }
    let message = "a tool's name is up to 64 small letters, digits and `_`, a letter first";
    let how = if options.name.is_some() { "" } else { "; give another one with #[tool(name = \"…\")]" };
    Err(Error::new(name.span(), format!("{message}{how}")))
}

fn description(options: &Options, function: &ItemFn) -> syn::Result<TokenStream> {
    if let Some(description) = &options.description {
        return Ok(quote!(#description));
    }
    match doc_comment(&function.attrs) {
        Some(text) => Ok(quote!(#text)),
        None => Err(Error::new(
            function.sig.ident.span(),
            "a model chooses a tool by its description: write it as a doc comment above the function",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each fault's message, and the source that it points at.
    fn faults(options: &str, item: &str) -> Vec<(String, String)> {
        let parse = |text: &str| text.parse::<TokenStream>().expect("tokens");
        let options = parse(options);
        let result = Options::parse(options).and_then(|options| {
            let function: ItemFn = syn::parse2(parse(item))?;
            callable(&options, &function)
        });
        let faults = result.err().into_iter().flatten();
        faults.map(|fault| (fault.to_string(), fault.span().source_text().unwrap_or_default())).collect()
    }

    #[track_caller]
    fn points(options: &str, item: &str, expected: &[(&str, &str)]) {
        let faults = faults(options, item);
        assert_eq!(faults.len(), expected.len(), "{faults:?}");
        for ((message, place), (word, source)) in faults.iter().zip(expected) {
            assert!(message.contains(word) && place == source, "{message:?} at {place:?}, not {word:?} at {source:?}");
        }
    }

    #[test]
    fn a_tool_takes_one_value_or_none_and_returns_something() {
        points("", "/** A. */ fn a(arguments: A) -> Result<B, Error> {}", &[]);
        points("title = \"A\", read_only, idempotent", "/** A. */ pub fn a() -> Outcome {}", &[]);
        points("destructive = false, open_world, description = ABOUT, name = \"b\"", "fn a() -> Outcome {}", &[]);
    }

    #[test]
    fn every_fault_of_a_signature_is_told_at_its_place() {
        points(
            "",
            "/** A. */ async unsafe extern \"C\" fn a<T>(one: &str, two: u8) {}",
            &[
                ("`async`", "async"),
                ("`unsafe`", "unsafe"),
                ("`extern`", "extern \"C\""),
                ("generic", "<T>"),
                ("`&`", "&str"),
                ("one value", "two: u8"),
                ("`Result`", "a"),
            ],
        );
        points("", "/** A. */ fn a(&self) -> B {}", &[("`self`", "&self")]);
        points("", "/** A. */ const fn a() -> B {}", &[("`const`", "const")]);
    }

    #[test]
    fn a_tool_has_a_name_and_a_description() {
        points("", "fn a() -> B {}", &[("doc comment", "a")]);
        points("", "/** A. */ fn Upper() -> B {}", &[("small letters", "Upper")]);
        points("name = \"a-b\"", "/** A. */ fn a() -> B {}", &[("small letters", "\"a-b\"")]);
    }

    #[test]
    fn options_are_those_that_exist_once() {
        let function = "/** A. */ fn a() -> B {}";
        points("readonly", function, &[("options of #[tool] are", "readonly")]);
        points("a::b", function, &[("options of #[tool] are", "a::b")]);
        points("read_only, destructive", function, &[("destroys nothing", "destructive")]);
        points("read_only, destructive = false", function, &[]);
        points("title = \" \"", function, &[("empty", "\" \"")]);
        points("title = 1", function, &[("string literal", "1")]);
        points("idempotent = 1", function, &[("boolean literal", "1")]);
        points("idempotent, idempotent", function, &[("twice", "idempotent")]);
    }

    #[test]
    fn a_resource_and_a_prompt_are_told_where_they_do_not_fit() {
        let function = "/** A. */ fn a() -> B {}";
        for sound in [
            "read_only, resource = \"notes://{id}\"",
            "mime_type = \"text/markdown\", resource = \"notes://{id}\", read_only",
            "prompt, read_only",
            "prompt = false",
            "prompt = false, read_only, resource = \"a:b\"",
        ] {
            points(sound, function, &[]);
        }
        points("resource = \"a:b\"", function, &[("add read_only", "resource")]);
        points("prompt", function, &[("add read_only", "prompt")]);
        points("prompt, read_only = false", function, &[("add read_only", "prompt")]);
        points("read_only, mime_type = \"text/plain\"", function, &[("belongs to a resource", "mime_type")]);
        points("read_only, prompt, mime_type = \"text/plain\"", function, &[("belongs to a resource", "mime_type")]);
        points("read_only, resource = \"a:b\", prompt", function, &[("cannot be both", "prompt")]);
        points("read_only, resource = \"notes\"", function, &[("scheme", "\"notes\"")]);
        points("read_only, resource = \"a:{b\"", function, &[("brace", "\"a:{b\"")]);
        points("read_only, resource = \"a:{B}\"", function, &[("variable", "\"a:{B}\"")]);
        points("read_only, resource = \"a:b\", mime_type = \"x\"", function, &[("not a media type", "\"x\"")]);
        points("read_only, resource", function, &[("expected `=`", "")]);
        points("prompt, prompt", function, &[("twice", "prompt")]);
    }

    #[test]
    fn only_a_function_is_a_tool() {
        let error = tool(
            TokenStream::new(),
            quote!(
                struct A;
            ),
        )
        .expect_err("an error");
        assert!(error.to_string().contains("above a function"), "{error}");
    }

    #[test]
    fn what_is_left_of_a_faulty_function_is_its_fault_alone() {
        let left = tool(
            TokenStream::new(),
            quote!(
                fn a() -> B {}
            ),
        )
        .expect("tokens")
        .to_string();
        assert!(left.contains("fn a ()") && left.contains("compile_error"), "{left}");
        assert_eq!(left.matches("compile_error").count(), 1);
        assert!(left.contains("struct a"), "{left}");
    }
}
