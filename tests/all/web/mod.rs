//! HTTP: status codes and bodies of answers, request limits, idempotency keys, and which caller may use which route.

mod connections;
mod cross_origin;
mod idempotency;
mod limits;
mod matrix;
mod openapi;
mod responses;
mod strangers;
