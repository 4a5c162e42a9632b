//! Two tools that need nothing. Built without `std`, so the component imports nothing at all, and what a call of `empty`
//! costs is the cost of a call.
#![cfg_attr(target_family = "wasm", no_std)]

extern crate alloc;

use alloc::string::String;

use behalf_sdk::{Error, Tool};
use serde::{Deserialize, Serialize};

/// `echo {text}`: returns what it was given.
struct Echo;

#[derive(Deserialize, Serialize)]
struct Text {
    text: String,
}

impl Tool for Echo {
    const NAME: &'static str = "echo";
    const DEFINITION: &'static str = include_str!("echo.json");
    type Arguments = Text;
    type Output = Text;

    fn call(arguments: Text) -> Result<Text, Error> {
        Ok(arguments)
    }
}

/// `empty {}`: returns `{}`.
struct Empty;

#[derive(Deserialize, Serialize)]
struct Nothing {}

impl Tool for Empty {
    const NAME: &'static str = "empty";
    const DEFINITION: &'static str = include_str!("empty.json");
    type Arguments = Nothing;
    type Output = Nothing;

    fn call(arguments: Nothing) -> Result<Nothing, Error> {
        Ok(arguments)
    }
}

behalf_sdk::export_lean_tools!(silent: Echo, Empty);
