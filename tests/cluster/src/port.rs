//! A free port for the API server.
//!
//! Owns the choice only; whether the port is still free when the server binds it is for the caller
//! to find out. The invariant that would break first: ports come from below the range that
//! kernels hand out for outgoing connections (Linux from 32768, macOS from 49152). A port in that
//! range can be taken by a client that reconnects while the API server restarts, even by one that
//! connects to itself.

use std::{
    hash::{BuildHasher as _, RandomState},
    net::{Ipv4Addr, TcpListener},
};

use anyhow::{Context as _, Result};

const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A port on 127.0.0.1 that nobody listens on now. The search starts at a random place, so that
/// clusters that start at the same time rarely meet.
///
/// # Errors
/// If all are taken.
pub fn free() -> Result<u16> {
    let start = u16::try_from(RandomState::new().hash_one(()) % u64::from(COUNT))?;
    (0..COUNT)
        .map(|step| FIRST + (start + step) % COUNT)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .context("no free port on 127.0.0.1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_free_and_below_the_range_for_outgoing_connections() {
        for _ in 0..50 {
            let port = free().unwrap();
            assert!((FIRST..FIRST + COUNT).contains(&port));
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        }
    }
}
