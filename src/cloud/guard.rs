//! Where names lead: looked up for each new connection, and refused where no request may go.
//!
//! Owns the resolver of the HTTP client. The answer that is judged is the answer that is connected
//! to: nothing is looked up twice, so a name that changes its mind between check and use gains
//! nothing. Must not know which names are the vendors'. The invariant that would break first: no
//! connection without a judged address.
//!
//! An answer is taken whole or not at all: one that mixes a forbidden address with others is what
//! an attack by DNS looks like, and a client that tries one after the other would get there.

use super::address::{LOOPBACK, forbidden};
use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Finds the addresses of a host. Port 0 stands for the port of the URL.
pub type Lookup =
    Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// The system's way: `/etc/hosts`, DNS, whatever `getaddrinfo` asks.
pub fn system() -> Lookup {
    Arc::new(|host| {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, 0)).await?;
            Ok(found.collect())
        })
    })
}

/// Which addresses are fine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// All that are not forbidden.
    Network,
    /// Those, and this machine: for origins that the operator allowed for tests.
    NetworkOrLoopback,
    /// Any: the proxy's own name, which the operator chose.
    Proxy,
}

/// Why a host is not connected to. Found again in the chain of the client's error.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(String);

/// A resolver with a rule.
pub(super) struct Guard {
    pub(super) lookup: Lookup,
    pub(super) rule: Rule,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        let (asked, rule) = ((self.lookup)(host.clone()), self.rule);
        Box::pin(async move {
            let found = asked.await?;
            judge(&host, found.iter().map(SocketAddr::ip), rule)?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Refuses a host for any of its addresses.
fn judge(host: &str, found: impl Iterator<Item = IpAddr>, rule: Rule) -> Result<(), Refused> {
    for ip in found {
        let reason = match (rule, forbidden(ip)) {
            (Rule::Proxy, _) | (Rule::NetworkOrLoopback, Some(LOOPBACK)) => None,
            // Plain HTTP is allowed to this name, so it must stay on this machine.
            (Rule::NetworkOrLoopback, _) if host == "localhost" => {
                Some("not this machine, as localhost must")
            }
            (_, reason) => reason,
        };
        if let Some(reason) = reason {
            return Err(Refused(format!(
                "the name leads to {ip}, {reason}: no credentials are sent there"
            )));
        }
    }
    Ok(())
}

/// As [`Guard`], for a host that is an address: those are not looked up.
pub(super) fn check_literal(ip: IpAddr, rule: Rule) -> Result<(), Refused> {
    match forbidden(ip) {
        None => Ok(()),
        Some(LOOPBACK) if rule == Rule::NetworkOrLoopback => Ok(()),
        Some(reason) => Err(Refused(format!(
            "it is {reason}: no credentials are sent there"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fine(host: &str, found: &str, rule: Rule) -> bool {
        let found = found.split_whitespace().map(|ip| ip.parse().unwrap());
        judge(host, found, rule).is_ok()
    }

    #[test]
    fn an_answer_is_taken_whole_or_not_at_all() {
        let network = |found: &str| fine("h.example", found, Rule::Network);
        assert!(network("") && network("1.1.1.1") && network("10.0.0.1 fd12::1 100.64.0.1"));
        for found in [
            "127.0.0.1",
            "1.1.1.1 127.0.0.1",
            "169.254.169.254 1.1.1.1",
            "::1 1.1.1.1",
        ] {
            assert!(!network(found), "{found}");
        }
    }

    #[test]
    fn the_flag_for_tests_opens_this_machine_and_nothing_else() {
        let local = |host: &str, found: &str| fine(host, found, Rule::NetworkOrLoopback);
        assert!(local("h.example", "127.0.0.1 ::1 10.0.0.1"));
        for found in [
            "169.254.169.254",
            "127.0.0.1 100.100.100.200",
            "fd00:ec2::254",
            "0.0.0.0",
        ] {
            assert!(!local("h.example", found), "{found}");
        }
        assert!(local("localhost", "127.0.0.1 ::1"));
        assert!(!local("localhost", "127.0.0.1 10.0.0.1"));
        let literal = |ip: &str, rule| check_literal(ip.parse().unwrap(), rule).is_ok();
        assert!(literal("127.0.0.1", Rule::NetworkOrLoopback));
        assert!(!literal("127.0.0.1", Rule::Network) && literal("10.0.0.1", Rule::Network));
        for rule in [Rule::Network, Rule::NetworkOrLoopback, Rule::Proxy] {
            assert!(!literal("169.254.169.254", rule), "{rule:?}");
        }
    }
}
