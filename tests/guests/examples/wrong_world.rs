//! A sound component of another world: it exports nothing that the host knows.

#[allow(missing_docs, clippy::pedantic, reason = "generated code")]
mod bindings {
    wit_bindgen::generate!({
        inline: "
            package elsewhere:greeting@0.1.0;
            world greeter {
                export greet: func(name: string) -> string;
            }
        ",
    });

    struct Component;

    impl Guest for Component {
        fn greet(name: String) -> String {
            name
        }
    }

    export!(Component);
}
