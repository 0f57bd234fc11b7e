//! Every fault, in the order in which they run.
//!
//! Owns the order. Must not know how one is made. The invariant that would break first: each name is
//! there once, since results are kept under it.

mod api_server;
mod clock;
mod cloud;
mod cloud_bodies;
mod cloud_pages;
mod cloud_reach;
mod operator;
mod registry;
mod schema;
mod secrets;

use crate::fault::Fault;

const LISTS: [&[Fault]; 10] = [
    operator::FAULTS,
    clock::FAULTS,
    api_server::FAULTS,
    schema::FAULTS,
    cloud::FAULTS,
    cloud_bodies::FAULTS,
    cloud_pages::FAULTS,
    cloud_reach::FAULTS,
    registry::FAULTS,
    secrets::FAULTS,
];

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = &'static Fault> {
    LISTS.into_iter().flatten()
}

/// They last longer than a lease, and the replica that works ends, as it must.
const END_A_LEASE: [&str; 10] = [
    "apiserver-restart",
    "apiserver-killed",
    "apiserver-freeze",
    "apiserver-429",
    "apiserver-429-retry-after",
    "apiserver-500",
    "apiserver-refuses",
    "black-hole",
    "leader-cut-off",
    "watch-expired",
];

/// Whether a fault leaves the operator's processes alone, so that what they hold can be followed.
pub(crate) fn spares(fault: &Fault) -> bool {
    !operator::FAULTS.iter().any(|one| one.name == fault.name) && !END_A_LEASE.contains(&fault.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::time::Duration;

    #[test]
    fn every_fault_that_ends_a_lease_is_there() {
        let is = |name: &str| all().any(|fault| fault.name == name);
        assert!(END_A_LEASE.iter().all(|name| is(name)));
    }

    #[test]
    fn names_are_kebab_case_and_unique_and_each_fault_has_a_time() {
        let mut names = BTreeSet::new();
        for fault in all() {
            assert!(names.insert(fault.name), "{} is there twice", fault.name);
            let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(fault.name.chars().all(letters), "{}", fault.name);
            assert!(fault.runs > 0 && fault.within > Duration::ZERO);
            assert!(fault.what.ends_with('.'), "{}", fault.name);
        }
    }
}
