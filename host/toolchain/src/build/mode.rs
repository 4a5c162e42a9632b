//! How thoroughly a build optimizes.

/// How thoroughly a build optimizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// For use: a small and fast component.
    Release,
    /// For the next try: a component soon.
    Quick,
}
