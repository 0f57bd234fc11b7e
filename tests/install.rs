//! The operator as it is installed: with exactly the rights that it is given, each of which is needed.
//!
//! Owns a control plane for each way of installing. Must not know why a right is needed: the tables of
//! `install/needs.rs` and `install/webhook.rs` say what people see without it. The invariant that would
//! break first: in every run the process has all rights of its account but one.

mod controller;
mod needs;
mod people;
mod release;
mod rights;
mod upgrade;
mod webhook;
mod works;
