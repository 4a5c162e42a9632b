;; A sound core module that has nothing to do with components.
(module
  (func (export "call") (param i32) (result i32) (local.get 0)))
