//! The macros that make a component of tools.

/// Makes a component of the named tools: functions with the attribute `#[tool]`, types that implement
/// [`Tool`](crate::Tool), or both. A panic is written to the log before it ends the call.
///
/// In a native build it makes a test, which finds in the definitions what a host would refuse.
#[macro_export]
macro_rules! export_tools {
    ($($tool:ty),+ $(,)?) => {
        $crate::export_tools!(@component {
            ::std::panic::set_hook(::std::boxed::Box::new(|panic| {
                $crate::log::error(&::std::string::ToString::to_string(panic));
            }));
            $crate::exported::install_subscriber();
        } $($tool),+);
    };
    (@component { $($prepare:tt)* } $($tool:ty),+) => {
        struct Component;

        impl $crate::bindings::exports::behalf::tool::tool::Guest for Component {
            fn definitions() -> $crate::exported::String {
                $crate::exported::join_definitions(&[$(<$tool as $crate::exported::Callable>::definition()),+])
            }

            fn call(
                name: $crate::exported::String,
                arguments: $crate::exported::String,
            ) -> ::core::result::Result<$crate::exported::String, $crate::Error> {
                $($prepare)*
                match name.as_str() {
                    $(<$tool as $crate::exported::Callable>::NAME => <$tool as $crate::exported::Callable>::call(&arguments),)+
                    other => ::core::result::Result::Err($crate::exported::unknown_tool(other)),
                }
            }
        }

        $crate::bindings::export_component!(Component with_types_in $crate::bindings);

        #[cfg(test)]
        #[test]
        fn tool_definitions_are_sound() {
            let checked = $crate::exported::check_definitions(&[$((
                <$tool as $crate::exported::Callable>::NAME,
                <$tool as $crate::exported::Callable>::definition(),
            )),+]);
            assert_eq!(checked, ::core::result::Result::Ok(()));
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
        $crate::export_tools!(@component {} $($tool),+);

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
