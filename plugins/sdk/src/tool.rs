use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::String;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A tool's own failure, as the model will read it.
pub use crate::bindings::exports::behalf::tool::tool::Error;

/// One callable that a plugin exports.
pub trait Tool {
    /// Its name: `[a-z][a-z0-9_]{0,63}`, the same as in the definition.
    const NAME: &'static str;

    /// Its definition in the shape of an MCP tool, as JSON text. Kept as text (usually with `include_str!`) because it is
    /// read when the plugin is registered and never during a call.
    const DEFINITION: &'static str;

    /// What the arguments are read into. The host has checked them against the schema; what does not fit all the same is
    /// answered with `invalid_arguments`.
    type Arguments: DeserializeOwned;

    /// What is returned, as JSON.
    type Output: Serialize;

    /// Does the work. An error undoes what the call did to the database.
    fn call(arguments: Self::Arguments) -> Result<Self::Output, Error>;
}

impl Error {
    /// The arguments are wrong in a way the schema cannot say.
    pub fn invalid_arguments(message: impl Into<String>) -> Self {
        Self::new("invalid_arguments", message)
    }

    /// The caller may not do this.
    pub fn denied(message: impl Into<String>) -> Self {
        Self::new("denied", message)
    }

    /// It did not work.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new("failed", message)
    }

    fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), retryable: false }
    }
}

/// The JSON array of the given definitions.
pub fn definitions(definitions: &[&str]) -> String {
    format!("[{}]", definitions.join(","))
}

/// Calls `T` with arguments and result as JSON text.
pub fn run<T: Tool>(arguments: &str) -> Result<String, Error> {
    let arguments = serde_json::from_str(arguments)
        .map_err(|error| Error::invalid_arguments(format!("The arguments of {} do not fit: {error}", T::NAME)))?;
    let output = T::call(arguments)?;
    serde_json::to_string(&output)
        .map_err(|error| Error::failed(format!("The result of {} cannot be written as JSON: {error}", T::NAME)))
}

/// The answer to a name that the plugin does not define.
pub fn unknown_tool(name: &str) -> Error {
    Error::invalid_arguments(format!("This plugin has no tool \"{name}\"."))
}

/// What is wrong with a tool's definition, if anything. [`export_tools!`](crate::export_tools) makes a test of it.
pub fn check_definition(name: &str, definition: &str) -> Result<(), String> {
    let definition: serde_json::Value =
        serde_json::from_str(definition).map_err(|error| format!("the definition of {name} is not JSON: {error}"))?;
    let mut characters = name.chars();
    let starts_well = characters.next().is_some_and(|first| first.is_ascii_lowercase());
    let goes_on_well = characters.all(|one| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '_');
    if !starts_well || !goes_on_well || name.len() > 64 {
        return Err(format!("\"{name}\" is not a tool name"));
    }
    if definition["name"] != name {
        return Err(format!("the definition of {name} is named {}", definition["name"]));
    }
    if definition["description"].as_str().is_none_or(str::is_empty) {
        return Err(format!("{name} has no description"));
    }
    if definition["inputSchema"]["type"] != "object" {
        return Err(format!("the input schema of {name} does not describe an object"));
    }
    Ok(())
}

/// Makes a component of the named [`Tool`]s. A panic is written to the log before it ends the call.
#[macro_export]
macro_rules! export_tools {
    ($($tool:ty),+ $(,)?) => {
        $crate::export_tools!(@component
            ::std::panic::set_hook(::std::boxed::Box::new(|panic| {
                $crate::log::error(&::std::string::ToString::to_string(panic));
            }));
            $($tool),+
        );
    };
    (@component $prepare:stmt; $($tool:ty),+) => {
        struct Component;

        impl $crate::bindings::exports::behalf::tool::tool::Guest for Component {
            fn definitions() -> $crate::exported::String {
                $crate::definitions(&[$(<$tool as $crate::Tool>::DEFINITION),+])
            }

            fn call(
                name: $crate::exported::String,
                arguments: $crate::exported::String,
            ) -> ::core::result::Result<$crate::exported::String, $crate::Error> {
                $prepare
                match name.as_str() {
                    $(<$tool as $crate::Tool>::NAME => $crate::run::<$tool>(&arguments),)+
                    other => ::core::result::Result::Err($crate::unknown_tool(other)),
                }
            }
        }

        $crate::bindings::export_component!(Component with_types_in $crate::bindings);

        #[cfg(test)]
        #[test]
        fn tool_definitions_are_sound() {
            $(assert_eq!(
                $crate::check_definition(<$tool as $crate::Tool>::NAME, <$tool as $crate::Tool>::DEFINITION),
                ::core::result::Result::Ok(()),
            );)+
        }
    };
}

/// [`export_tools!`] for a crate without `std`: brings the allocator and the panic handler that it would lack, and with
/// them a component that imports no WASI, only the interfaces it calls. The crate begins with
/// `#![cfg_attr(target_family = "wasm", no_std)]`. With `silent:` before the tools, a panic ends the call without a word,
/// and `log` is not imported for its sake.
#[macro_export]
macro_rules! export_lean_tools {
    (silent: $($tool:ty),+ $(,)?) => {
        $crate::export_lean_tools!(@lean |_| (); $($tool),+);
    };
    (@lean $report:expr; $($tool:ty),+) => {
        $crate::export_tools!(@component (); $($tool),+);

        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code, reason = "an allocator and the canonical ABI's realloc cannot be written without")]
        mod lean_runtime {
            use ::core::alloc::{GlobalAlloc, Layout};
            use ::core::arch::wasm32::unreachable;

            #[panic_handler]
            fn panic(panic: &::core::panic::PanicInfo<'_>) -> ! {
                let report: fn(&::core::panic::PanicInfo<'_>) = $report;
                report(panic);
                unreachable()
            }

            // The C library of the target, whose allocator begins with the memory that the instance is born with.
            #[link(name = "c")]
            unsafe extern "C" {
                fn malloc(size: usize) -> *mut u8;
                fn realloc(block: *mut u8, size: usize) -> *mut u8;
                fn aligned_alloc(align: usize, size: usize) -> *mut u8;
                fn free(block: *mut u8);
            }

            /// What `malloc` aligns to without being asked.
            const MALLOC_ALIGN: usize = 8;

            struct Malloc;

            // SAFETY: forwards to the C allocator, which fulfils the contract up to its own alignment; larger alignments
            // go to `aligned_alloc`, whose blocks `realloc` and `free` accept, and whose size is a multiple of them.
            unsafe impl GlobalAlloc for Malloc {
                unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
                    if layout.align() <= MALLOC_ALIGN {
                        unsafe { malloc(layout.size()) }
                    } else {
                        unsafe { aligned_alloc(layout.align(), layout.pad_to_align().size()) }
                    }
                }

                unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
                    unsafe { free(block) }
                }

                unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
                    if layout.align() <= MALLOC_ALIGN {
                        return unsafe { realloc(block, size) };
                    }
                    // `realloc` may move a block to a lesser alignment.
                    let Ok(wanted) = Layout::from_size_align(size, layout.align()) else {
                        return ::core::ptr::null_mut();
                    };
                    let new = unsafe { self.alloc(wanted) };
                    if !new.is_null() {
                        unsafe {
                            ::core::ptr::copy_nonoverlapping(block, new, layout.size().min(size));
                            free(block);
                        }
                    }
                    new
                }
            }

            #[global_allocator]
            static ALLOCATOR: Malloc = Malloc;

            // With `std` the C library brings this one; the host calls it to place arguments in the guest's memory.
            // SAFETY: the canonical ABI calls it with no block or one that it made, and never asks for more alignment
            // than `malloc` gives.
            #[unsafe(export_name = "cabi_realloc")]
            unsafe extern "C" fn cabi_realloc(block: *mut u8, _old: usize, align: usize, size: usize) -> *mut u8 {
                if size == 0 {
                    return ::core::ptr::without_provenance_mut(align);
                }
                let block = unsafe { realloc(block, size) };
                if block.is_null() { unreachable() } else { block }
            }
        }
    };    ($($tool:ty),+ $(,)?) => {
        $crate::export_lean_tools!(
            @lean |panic| $crate::log::error(&$crate::exported::ToString::to_string(panic));
            $($tool),+
        );
    };
}
