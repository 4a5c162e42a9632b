;; Says that its definitions lie outside its memory, and four gigabytes long.
(component
  (core module $core
    (memory (export "memory") 1)
    (data (i32.const 16) "\ff\ff\00\00\ff\ff\ff\ff")
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "definitions") (result i32) (i32.const 16))
    (func (export "call") (param i32 i32 i32 i32) (result i32) unreachable))
  (core instance $core (instantiate $core))
  (alias core export $core "memory" (core memory $memory))
  (alias core export $core "realloc" (core func $realloc))
  (alias core export $core "definitions" (core func $core-definitions))
  (alias core export $core "call" (core func $core-call))

  (type $error (record (field "code" string) (field "message" string) (field "retryable" bool)))
  (func $definitions (result string)
    (canon lift (core func $core-definitions) (memory $memory)))
  (func $call (param "name" string) (param "arguments" string) (result (result string (error $error)))
    (canon lift (core func $core-call) (memory $memory) (realloc $realloc)))

  ;; An exported instance must export the types its functions name; only a component can do so.
  (component $tool
    (type $record (record (field "code" string) (field "message" string) (field "retryable" bool)))
    (import "error" (type $error (eq $record)))
    (import "definitions" (func $definitions (result string)))
    (import "call"
      (func $call (param "name" string) (param "arguments" string) (result (result string (error $error)))))
    (export $exported "error" (type $error))
    (export "definitions" (func $definitions))
    (export "call" (func $call)
      (func (param "name" string) (param "arguments" string) (result (result string (error $exported))))))
  (instance $tool (instantiate $tool
    (with "error" (type $error)) (with "definitions" (func $definitions)) (with "call" (func $call))))
  (export "behalf:tool/tool@0.1.0" (instance $tool)))
