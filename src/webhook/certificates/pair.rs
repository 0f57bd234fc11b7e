//! A serving certificate with its key.
//!
//! Owns what makes the two usable: they belong together, and an authority that clients trust signed
//! the certificate. Must not know where they are kept or who serves them. The invariant that would
//! break first: the key shows in no text but the one that is stored.

use super::bundle::{self, Authority, Bundle};
use jiff::Timestamp;
use rustls::RootCertStore;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use secrecy::{ExposeSecret as _, SecretString};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// Bytes of a certificate or key that are read.
pub(super) const MOST_BYTES: usize = 64 * 1024;

/// Certificates of a chain that are read.
const MOST_IN_CHAIN: usize = 8;

/// Why two texts are no pair. Nothing of them shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPair {
    /// Of either text.
    #[error("the certificate or the key is longer than {} KiB", MOST_BYTES / 1024)]
    TooLong,
    /// Of the first text.
    #[error("the certificate is not readable as PEM of X.509")]
    NoCertificate,
    /// Of the second text.
    #[error("the key is not readable as PEM of a private key")]
    NoKey,
    /// Of both.
    #[error("the key is not that of the certificate")]
    Mismatch,
}

/// A certificate, the chain above it, and the key.
pub(super) struct Pair {
    chain: String,
    key: SecretString,
    certified: Arc<CertifiedKey>,
    not_after: Timestamp,
    names: Vec<String>,
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pair({:?} until {})", self.names, self.not_after)
    }
}

/// The same certificate: a key does not change under one.
impl PartialEq for Pair {
    fn eq(&self, other: &Self) -> bool {
        self.certified.cert == other.certified.cert
    }
}

impl Pair {
    /// Reads a chain, the serving certificate first, and its key, both in PEM.
    ///
    /// # Errors
    /// If they are not both readable, or do not belong together.
    pub(super) fn read(chain: &[u8], key: &[u8]) -> Result<Self, BadPair> {
        if chain.len() > MOST_BYTES || key.len() > MOST_BYTES {
            return Err(BadPair::TooLong);
        }
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(chain)
            .take(MOST_IN_CHAIN)
            .collect::<Result<_, _>>()
            .map_err(|_| BadPair::NoCertificate)?;
        let first = certificates.first().ok_or(BadPair::NoCertificate)?;
        let (_, certificate) =
            X509Certificate::from_der(first).map_err(|_| BadPair::NoCertificate)?;
        let not_after = bundle::not_after(&certificate).ok_or(BadPair::NoCertificate)?;
        let names = names(&certificate);
        let chain_text = std::str::from_utf8(chain).map_err(|_| BadPair::NoCertificate)?;
        let key_text = std::str::from_utf8(key).map_err(|_| BadPair::NoKey)?;
        let der = PrivateKeyDer::from_pem_slice(key).map_err(|_| BadPair::NoKey)?;
        let provider = aws_lc_rs::default_provider();
        // What `load_private_key` takes is not wiped by it; neither are the library's own copies.
        let signing = provider.key_provider.load_private_key(der);
        let certified = CertifiedKey::new(certificates, signing.map_err(|_| BadPair::NoKey)?);
        certified.keys_match().map_err(|_| BadPair::Mismatch)?;
        Ok(Self {
            chain: chain_text.to_owned(),
            key: SecretString::from(key_text),
            certified: Arc::new(certified),
            not_after,
            names,
        })
    }

    /// The chain in PEM, as it was read.
    pub(super) fn chain(&self) -> &str {
        &self.chain
    }

    /// The key in PEM, as it was read.
    pub(super) fn key(&self) -> &str {
        self.key.expose_secret()
    }

    /// What a TLS server needs.
    pub(super) fn certified(&self) -> &Arc<CertifiedKey> {
        &self.certified
    }

    /// When the certificate ends.
    pub(super) fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// The DNS names and addresses that it is for.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether it is for all of these.
    pub(super) fn is_for(&self, names: &[String]) -> bool {
        names.iter().all(|name| self.names.contains(name))
    }

    /// Whether this authority's signature leads to it, whatever the time.
    pub(super) fn is_signed_by(&self, authority: &Authority) -> bool {
        let mut roots = RootCertStore::empty();
        let Some((first, above)) = self.certified.cert.split_first() else {
            return false;
        };
        let Ok(parsed) = ParsedCertificate::try_from(first) else {
            return false;
        };
        if roots.add(authority.der().clone()).is_err() {
            return false;
        }
        // In its last second it is as valid as it ever was.
        let end = u64::try_from(self.not_after.as_second()).unwrap_or(0);
        let time = UnixTime::since_unix_epoch(Duration::from_secs(end));
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        verify_server_cert_signed_by_trust_anchor(&parsed, &roots, above, time, algorithms.all)
            .is_ok()
    }

    /// Whether who trusts this bundle trusts it.
    pub(super) fn is_trusted_by(&self, bundle: &Bundle) -> bool {
        bundle.iter().any(|authority| self.is_signed_by(authority))
    }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let names = extension.value.general_names.iter();
    names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
            _ => None,
        })
        .collect()
}

fn address(bytes: &[u8]) -> Option<core::net::IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(four.into());
    }
    <[u8; 16]>::try_from(bytes)
        .ok()
        .map(core::net::IpAddr::from)
}
