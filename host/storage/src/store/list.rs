//! Lists of objects.
