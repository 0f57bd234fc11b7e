//! ImageRef
