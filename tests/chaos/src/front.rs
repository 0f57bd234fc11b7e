//! TLS in front of the clouds, as the vendors' own hosts are, under a name that no DNS knows.
//!
//! Owns the authority and its certificates, good and bad. Must not know the clouds. The invariant that
//! would break first: a change of the certificate ends all connections, so that everybody shakes hands
//! anew.

use crate::gate::Gate;
use anyhow::{Context as _, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// The name that it is reached by; `Preload` makes it lead to this machine.
pub(crate) const NAME: &str = "cloud.chaos.example";

/// What is right or wrong with the certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Certificate {
    /// Nothing is wrong.
    Good,
    /// It ended years ago.
    Expired,
    /// It is for another host.
    OtherHost,
}

/// The front; it goes with this value.
pub(crate) struct Front {
    authority: CertifiedIssuer<'static, KeyPair>,
    ca_file: PathBuf,
    /// The way through it.
    pub(crate) gate: Gate,
}

impl Front {
    /// A front with a good certificate; the authority's is written into the folder.
    ///
    /// # Errors
    /// If a certificate is not made, the file not written, or no port bound.
    pub(crate) fn new(upstream: SocketAddr, folder: &Path) -> Result<Self> {
        let mut params = CertificateParams::default();
        let name = "an authority of the chaos suite";
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let ca_file = folder.join("cloud-ca.pem");
        std::fs::write(&ca_file, authority.pem())
            .with_context(|| format!("writing {}", ca_file.display()))?;
        let greeting = acceptor(&authority, Certificate::Good)?;
        Ok(Self {
            gate: Gate::new(upstream, Some(greeting))?,
            authority,
            ca_file,
        })
    }

    /// `https://NAME:PORT`, as a provider names it.
    pub(crate) fn origin(&self) -> String {
        format!("https://{NAME}:{}", self.gate.address().port())
    }

    /// The certificate of its authority, in PEM.
    pub(crate) fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// From now on it shows this certificate.
    ///
    /// # Errors
    /// If the certificate is not made, or the front is gone.
    pub(crate) async fn show(&self, certificate: Certificate) -> Result<()> {
        self.gate
            .greet(acceptor(&self.authority, certificate)?)
            .await
    }
}

fn acceptor(
    authority: &CertifiedIssuer<'static, KeyPair>,
    certificate: Certificate,
) -> Result<TlsAcceptor> {
    let host = match certificate {
        Certificate::OtherHost => "other.chaos.example",
        Certificate::Good | Certificate::Expired => NAME,
    };
    let mut params = CertificateParams::new([host.to_owned()])?;
    if certificate == Certificate::Expired {
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    }
    let key = KeyPair::generate()?;
    let signed = params.signed_by(&key, authority)?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![signed.der().clone()], key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
    use rustls::{ClientConfig, RootCertStore};
    use std::time::Duration;
    use tokio::net::{TcpListener, TcpStream};
    use tokio_rustls::TlsConnector;

    /// What a client that trusts the front's authority says of it.
    async fn greeted(front: &Front) -> Result<(), String> {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_file(front.ca_file()).unwrap();
        roots.add(ca).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(front.gate.address()).await.unwrap();
        let name = ServerName::try_from(NAME).unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        let shaken = connector.connect(name, stream).await;
        shaken.map(drop).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_client_believes_the_good_certificate_alone() {
        let folder = tempfile::tempdir().unwrap();
        let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let front = Front::new(upstream.local_addr().unwrap(), folder.path()).unwrap();
        assert_eq!(greeted(&front).await, Ok(()));
        for (certificate, words) in [
            (Certificate::Expired, "expired"),
            (Certificate::OtherHost, "not valid for name"),
        ] {
            front.show(certificate).await.unwrap();
            let met = front.gate.met();
            let refused = greeted(&front).await.unwrap_err();
            assert!(refused.contains(words), "{certificate:?}: {refused}");
            let told = async {
                while front.gate.met() == met {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            let told = tokio::time::timeout(Duration::from_secs(10), told).await;
            assert_eq!(told, Ok(()), "{certificate:?}: the front knows of it");
        }
        front.show(Certificate::Good).await.unwrap();
        assert_eq!(greeted(&front).await, Ok(()));
    }
}
