//! The operator as it is installed: with exactly the rights that it is given, each of which is needed.
//!
//! Helm installs the chart into real control planes; the operator's binary runs as the `ServiceAccount` and
//! with the arguments of the rendered Deployments. The tables of `install/controller.rs` and
//! `install/webhook.rs` say what people see without each right. The invariant that would break first: in
//! every run the process has all rights of its account, or all but one.

mod controller;
mod installed;
mod needs;
mod people;
mod release;
mod rights;
mod upgrade;
mod webhook;
mod works;
