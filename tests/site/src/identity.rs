//! A certificate for this machine, and the authority behind it.
//!
//! Owns both for a run. Must not know who serves with them. The invariant that would break first:
//! the key is readable by this user alone.

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::path::{Path, PathBuf};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// A certificate for this machine.
pub struct Identity {
    /// As DER.
    pub authority: Vec<u8>,
    /// As PEM.
    pub authority_pem: String,
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Identity {
    /// Makes one.
    pub fn new() -> Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let params = CertificateParams::new(["127.0.0.1".to_owned()])?;
        Ok(Self {
            certificate: params.signed_by(&key, &authority)?,
            authority: authority.der().to_vec(),
            authority_pem: authority.pem(),
            key,
        })
    }

    /// Writes `tls.crt` and `tls.key`; the folder that they are in.
    pub fn write(&self, folder: &Path) -> Result<PathBuf> {
        let folder = folder.join("tls");
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("tls.crt"), self.certificate.pem())?;
        cluster::write_private(&folder.join("tls.key"), &self.key.serialize_pem())?;
        Ok(folder)
    }

    /// What a server shows.
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.certificate.der().clone()]
    }

    /// What it proves itself with.
    pub fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }
}
