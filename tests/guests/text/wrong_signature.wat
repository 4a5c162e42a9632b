;; Exports what a plugin exports, under the right names and with other types.
(component
  (core module $core
    (func (export "definitions") (result i32) (i32.const 7))
    (func (export "call") (param i32) (result i32) (local.get 0)))
  (core instance $core (instantiate $core))
  (alias core export $core "definitions" (core func $core-definitions))
  (alias core export $core "call" (core func $core-call))
  (func $definitions (result u32) (canon lift (core func $core-definitions)))
  (func $call (param "name" u32) (result u32) (canon lift (core func $core-call)))
  (instance $tool (export "definitions" (func $definitions)) (export "call" (func $call)))
  (export "behalf:tool/tool@0.1.0" (instance $tool)))
