;; A component of the world `extractor`, for tests: what is between the marks is put in.
(component
  (type $hint' (record (field "extension" string)))
  (import "hint" (type $hint (eq $hint')))
  (type $summary' (record
    (field "format" string) (field "title" (option string)) (field "author" (option string))
    (field "pictures" (list u32)) (field "omitted" (list string))))
  (import "summary" (type $summary (eq $summary')))
  (type $reason' (enum "unknown-format" "damaged" "encrypted" "too-large" "only-pictures" "empty"))
  (import "reason" (type $reason (eq $reason')))
  (type $failure' (record (field "reason" $reason) (field "message" string)))
  (import "failure" (type $failure (eq $failure')))

  (import "behalf:extraction/document@1.0.0" (instance $document
    (type $page' (record (field "text" string) (field "name" (option string))))
    (export "page" (type $page (eq $page')))
    (export "size" (func (result u64)))
    (export "read" (func (param "offset" u64) (param "length" u32) (result (list u8))))
    (export "add-page" (func (param "page" $page) (result bool)))
    (export "progress" (func (param "done" u32) (param "total" (option u32))))))

  (core module $libc
    (memory (export "memory") 2)
    ;; Every allocation gets the same place: what was read before is not looked at again.
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536)))
  (core instance $libc (instantiate $libc))

  (core func $size (canon lower (func $document "size")))
  (core func $read (canon lower (func $document "read")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $add-page (canon lower (func $document "add-page") (memory (core memory $libc "memory"))))
  (core func $progress (canon lower (func $document "progress")))

  (core module $main
    (import "libc" "memory" (memory 2))
    (import "document" "size" (func $size (result i64)))
    (import "document" "read" (func $read (param i64 i32 i32)))
    (import "document" "add-page" (func $add-page (param i32 i32 i32 i32 i32) (result i32)))
    (import "document" "progress" (func $progress (param i32 i32 i32)))
    (data (i32.const 16) "some text.txt")
    (data (i32.const 1024) "\00\00\00\00\1a\00\00\00\03\00\00\00")
    ;; BEFORE
    (func (export "extract") (param i32 i32) (result i32)
      ;; BODY
    ))
  (core instance $main (instantiate $main
    (with "libc" (instance $libc))
    (with "document" (instance
      (export "size" (func $size)) (export "read" (func $read))
      (export "add-page" (func $add-page)) (export "progress" (func $progress))))))

  (func $extract (param "hint" $hint) (result (result $summary (error $failure)))
    (canon lift (core func $main "extract")
      (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (export "extract" (func $extract)))
