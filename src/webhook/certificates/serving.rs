//! The certificate that TLS servers of this process show.
//!
//! Owns which one it is. Must not know where it comes from. The invariant that would break first: a
//! handshake takes one certificate with its own key, also in the moment in which another comes.

use super::pair::Pair;
use jiff::Timestamp;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

#[derive(Default)]
struct State {
    pair: Option<Arc<Pair>>,
    error: Option<String>,
}

/// The certificate that is served. Give it to rustls as the resolver; it follows each renewal, and
/// connections that are open stay open.
#[derive(Default)]
pub struct Serving(RwLock<State>);

impl fmt::Debug for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Serving({:?})", self.pair())
    }
}

impl Serving {
    fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        // Each change is one assignment; a panic leaves nothing half done.
        read(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Whether there is a certificate: without one each handshake fails.
    pub fn is_ready(&self) -> bool {
        self.read(|state| state.pair.is_some())
    }

    /// When the certificate that is served ends.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.read(|state| state.pair.as_ref().map(|pair| pair.not_after()))
    }

    /// Why the last look at the certificate failed; `None` if it did not. Holds no secret.
    pub fn last_error(&self) -> Option<String> {
        self.read(|state| state.error.clone())
    }

    pub(super) fn pair(&self) -> Option<Arc<Pair>> {
        self.read(|state| state.pair.clone())
    }

    /// Shows this one from now on; whether it is another than before.
    pub(super) fn serve(&self, pair: &Arc<Pair>) -> bool {
        let same = self.pair().is_some_and(|served| served == *pair);
        if !same {
            self.change(|state| state.pair = Some(pair.clone()));
        }
        !same
    }

    /// Takes note of how a look ended; whether that is news.
    pub(super) fn note(&self, error: Option<String>) -> bool {
        let news = self.read(|state| state.error != error);
        if news {
            self.change(|state| state.error = error);
        }
        news
    }
}

impl ResolvesServerCert for Serving {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.read(|state| state.pair.as_ref().map(|pair| pair.certified().clone()))
    }
}
