//! A core module that could be made a component of our world, and is none.

use behalf_guests::definition;

behalf_guests::export_definitions!(format!("[{}]", definition("core_module", "never reached")));
