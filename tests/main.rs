//! suite

mod facts;
