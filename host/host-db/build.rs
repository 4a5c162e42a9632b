//! Compiles the crate anew when a migration is added: the macro that embeds them is told of changed files only.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
