//! Components that are linked for calls. Plugins with the same component and the same grants share one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use behalf_sandbox::LinkedComponent;
use serde_json::Value;
use tokio::sync::OnceCell;

/// SHA-256 of a component, and the JSON of its grants.
type Key = ([u8; 32], String);

/// The linked components of a host. Each is kept as long as a plugin has it.
#[derive(Debug, Default)]
pub(crate) struct LinkedComponents {
    cells: Mutex<HashMap<Key, Weak<OnceCell<LinkedComponent>>>>,
}

impl LinkedComponents {
    /// The place of a component with these grants. It is empty until the component is first needed.
    pub(crate) fn cell(&self, digest: [u8; 32], grants: &Value) -> Arc<OnceCell<LinkedComponent>> {
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        let held = cells.entry((digest, grants.to_string())).or_default();
        if let Some(cell) = held.upgrade() {
            return cell;
        }
        let cell = Arc::new(OnceCell::new());
        *held = Arc::downgrade(&cell);
        cell
    }

    /// Forgets those that no plugin has any more.
    pub(crate) fn forget_unused(&self) {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, cell| cell.strong_count() > 0);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_same_component_with_the_same_grants_is_linked_once() {
        let components = LinkedComponents::default();
        let reading = json!({"database": {"access": "read", "schemas": ["public"]}});
        let first = components.cell([1; 32], &reading);
        assert!(Arc::ptr_eq(&first, &components.cell([1; 32], &reading)));
        assert!(!Arc::ptr_eq(&first, &components.cell([2; 32], &reading)), "another component");
        assert!(!Arc::ptr_eq(&first, &components.cell([1; 32], &json!({}))), "other grants");
        components.forget_unused();
        assert_eq!(components.cells.lock().unwrap().len(), 1, "those that nobody has are forgotten");
        drop(first);
        components.forget_unused();
        assert!(components.cells.lock().unwrap().is_empty());
    }
}
