//! Whom clients of the webhook are to trust: certificates of authorities.
//!
//! Owns how a bundle is read and written. Must not know where it is kept. The invariant that would
//! break first: reading never fails, since anybody who may write the object can put anything there;
//! what is no certificate is left out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::fmt;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// Certificates in a bundle. Two are normal, three while a certificate is renewed.
pub(super) const MOST: usize = 16;

/// Bytes of a bundle that are read: a certificate takes about 700.
const MOST_BYTES: usize = 256 * 1024;

/// How the name of an authority made here begins.
pub(super) const NAME: &str = "imageref webhook CA ";

/// The certificate of an authority.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Authority {
    der: CertificateDer<'static>,
    not_after: Timestamp,
    made_here: bool,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authority(until {})", self.not_after)
    }
}

impl Authority {
    /// `None` for what is no certificate.
    pub(super) fn read(der: CertificateDer<'static>) -> Option<Self> {
        let (rest, certificate) = X509Certificate::from_der(&der).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let name = certificate.subject().iter_common_name().next();
        let name = name.and_then(|name| name.as_str().ok());
        Some(Self {
            not_after: not_after(&certificate)?,
            made_here: name.is_some_and(|name| name.starts_with(NAME)),
            der,
        })
    }

    pub(super) fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// After this nobody trusts it.
    pub(super) fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Whether its name is one that this code gives.
    pub(super) fn is_made_here(&self) -> bool {
        self.made_here
    }
}

/// When a certificate ends; `None` for a time that cannot be.
pub(super) fn not_after(certificate: &X509Certificate<'_>) -> Option<Timestamp> {
    Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
}

/// Authorities, each once, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(super) struct Bundle(Vec<Authority>);

/// The same authorities, in whatever order.
impl PartialEq for Bundle {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.iter().all(|authority| other.contains(authority))
    }
}

impl Bundle {
    /// The certificates in a text in PEM.
    pub(super) fn read(pem: &[u8]) -> Self {
        let pem = pem.get(..MOST_BYTES).unwrap_or(pem);
        let mut bundle = Self::default();
        let readable = CertificateDer::pem_slice_iter(pem).take_while(Result::is_ok);
        let authorities = readable.flatten().filter_map(Authority::read);
        for authority in authorities.take(MOST) {
            bundle.add(authority);
        }
        bundle
    }

    /// As text in PEM.
    pub(super) fn pem(&self) -> String {
        self.0.iter().map(|authority| pem(&authority.der)).collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Authority> {
        self.0.iter()
    }

    pub(super) fn contains(&self, authority: &Authority) -> bool {
        self.0.contains(authority)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes one in, unless it is there or there is no room.
    pub(super) fn add(&mut self, authority: Authority) {
        if self.len() < MOST && !self.contains(&authority) {
            self.0.push(authority);
        }
    }

    pub(super) fn retain(&mut self, keep: impl FnMut(&Authority) -> bool) {
        self.0.retain(keep);
    }
}

/// A certificate as text: lines of 64 characters.
pub(super) fn pem(certificate: &CertificateDer<'_>) -> String {
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    let encoded = STANDARD.encode(certificate);
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}
