//! `wasi:http/types` without requests: a component that imports it and not `outgoing-handler` can be given no grant for it, and needs
//! none. Some toolchains import it for nothing. It is linked, and each of its functions ends the guest.

use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, ResourceType};

/// The values of requests and answers. They are linked with the grant `http`, and with it alone.
const VALUES: &str = "wasi:http/types@";
/// What sends requests. A component that does not import it cannot be granted `http`.
const HANDLER: &str = "wasi:http/outgoing-handler@";

/// A resource of which nobody can make one.
struct Nothing;

/// A copy of a linker that has no `wasi:http`, for a component that can send no requests and imports the values of requests. None
/// for every other component.
pub(crate) fn refusing<T: 'static>(
    linker: &Linker<T>,
    component: &Component,
    engine: &Engine,
) -> wasmtime::Result<Option<Linker<T>>> {
    let imported = component.component_type();
    if imported.imports(engine).any(|(name, _)| name.starts_with(HANDLER)) {
        return Ok(None);
    }
    let mut copy = None;
    // Streams are resources of other interfaces, which come first. They stay what they are.
    let mut known = Vec::new();
    for (interface, import) in imported.imports(engine) {
        let ComponentItem::ComponentInstance(import) = import.ty else { continue };
        if !interface.starts_with(VALUES) {
            known.extend(import.exports(engine).filter_map(|(_, export)| resource(&export.ty)));
            continue;
        }
        let mut values = copy.get_or_insert_with(|| linker.clone()).instance(interface)?;
        for (name, export) in import.exports(engine) {
            match &export.ty {
                ComponentItem::ComponentFunc(_) => {
                    let text =
                        format!("it called `{name}` of {interface}, and sends no requests: it lacks {HANDLER}0.2");
                    values.func_new(name, move |_, _, _, _| Err(wasmtime::format_err!("{text}")))?;
                }
                ComponentItem::Resource(ty) if !known.contains(ty) => {
                    values.resource(name, ResourceType::host::<Nothing>(), |_, _| Ok(()))?;
                }
                _ => {}
            }
        }
    }
    Ok(copy)
}

fn resource(item: &ComponentItem) -> Option<ResourceType> {
    if let ComponentItem::Resource(ty) = item { Some(*ty) } else { None }
}

#[cfg(test)]
mod tests {
    use wasmtime::Store;

    use super::*;

    /// A component whose `go` makes the fields of a request, with more imports.
    fn component(engine: &Engine, more: &str) -> Component {
        let text = format!(
            r#"(component
              (import "wasi:io/streams@0.2.10" (instance $io (export "input-stream" (type (sub resource)))))
              (alias export $io "input-stream" (type $stream))
              (import "wasi:http/types@0.2.10" (instance $http
                (alias outer 1 $stream (type $outer))
                (export "input-stream" (type $input (eq $outer)))
                (export "fields" (type $fields (sub resource)))
                (export "headers" (type (eq $fields)))
                (export "incoming-body" (type $body (sub resource)))
                (export "[constructor]fields" (func (result (own $fields))))
                (export "[method]incoming-body.stream"
                  (func (param "self" (borrow $body)) (result (result (own $input)))))))
              {more}
              (core func $make (canon lower (func $http "[constructor]fields")))
              (core module $code
                (import "" "make" (func $make (result i32)))
                (func (export "go") (drop (call $make))))
              (core instance $code (instantiate $code (with "" (instance (export "make" (func $make))))))
              (func (export "go") (canon lift (core func $code "go"))))"#
        );
        Component::new(engine, wat::parse_str(text).expect("it is well formed")).expect("it is valid")
    }

    /// A linker as it is without the grant `http`.
    fn without_http(engine: &Engine) -> Linker<()> {
        struct Stream;
        let mut linker = Linker::new(engine);
        let mut streams = linker.instance("wasi:io/streams@0.2.10").expect("a name");
        streams.resource("input-stream", ResourceType::host::<Stream>(), |_, _| Ok(())).expect("it is new");
        linker
    }

    #[test]
    fn values_that_cannot_be_sent_are_linked_and_their_functions_fail() {
        let engine = Engine::default();
        let (linker, component) = (without_http(&engine), component(&engine, ""));
        assert!(linker.instantiate_pre(&component).is_err());
        let refusing = refusing(&linker, &component, &engine).expect("it is linked").expect("it imports the values");
        assert!(linker.instantiate_pre(&component).is_err(), "the linker of others stays as it was");
        let mut store = Store::new(&engine, ());
        let instance = refusing.instantiate(&mut store, &component).expect("it needs no grant");
        let go = instance.get_typed_func::<(), ()>(&mut store, "go").expect("it is exported");
        let said = format!("{:#}", go.call(&mut store, ()).expect_err("it may not make any"));
        assert!(said.contains("it called `[constructor]fields` of wasi:http/types@0.2.10"), "{said}");
    }

    #[test]
    fn what_sends_requests_still_takes_the_grant() {
        let engine = Engine::default();
        let linker = without_http(&engine);
        let handler = r#"(import "wasi:http/outgoing-handler@0.2.10" (instance (export "handle" (func))))"#;
        let sends = component(&engine, handler);
        assert!(refusing(&linker, &sends, &engine).expect("nothing is linked").is_none());
        let other = r#"(import "wasi:http/incoming-handler@0.2.10" (instance (export "handle" (func))))"#;
        let receives = component(&engine, other);
        let refusing =
            refusing(&linker, &receives, &engine).expect("the values are linked").expect("they are imported");
        assert!(refusing.instantiate_pre(&receives).is_err(), "nothing but the values is linked");
    }

    #[test]
    fn a_component_without_the_values_has_the_linker_of_its_grants() {
        let engine = Engine::default();
        let text = wat::parse_str("(component)").expect("it is well formed");
        let component = Component::new(&engine, text).expect("it is valid");
        assert!(refusing(&without_http(&engine), &component, &engine).expect("nothing is linked").is_none());
    }
}
