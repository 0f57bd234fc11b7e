//! The webhook's process, asked by a real API server: `deploy/webhook.yaml` as it is, but for where
//! the process listens.

mod down;
mod gitops;
mod names;
mod own_certificate;
mod process;
mod scene;
mod verdicts;

pub(crate) use scene::address;
