//! Keys, certificates and the admin's token of one cluster, made anew each time.
//!
//! Owns what the API server proves itself with and whom it believes. It must not know flags or
//! processes. The invariant that would break first: the serving certificate is signed by a CA of
//! its own. A self-signed certificate that is also the trust anchor is refused by rustls
//! (`CaUsedAsEndEntity`), though curl and Go take it.

use std::{fmt::Write as _, fs, io::Read as _, path::Path};

use anyhow::{Context as _, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

use crate::kubeconfig::write_private;

/// Names of the files in the cluster's folder, as the API server's flags want them.
pub(crate) const CA: &str = "ca.crt";
pub(crate) const SERVING: &str = "serving.crt";
pub(crate) const SERVING_KEY: &str = "serving.key";
pub(crate) const ISSUER_KEY: &str = "service-account.key";
pub(crate) const ISSUER_PUBLIC: &str = "service-account.pub";
pub(crate) const TOKENS: &str = "tokens.csv";

/// What a client needs (whom to trust, and the token of an admin in `system:masters`), and the
/// files for the API server.
pub(crate) struct Credentials {
    pub(crate) ca_pem: String,
    pub(crate) admin_token: String,
    files: Vec<(&'static str, String)>,
}

impl Credentials {
    /// Makes everything in memory.
    pub(crate) fn generate() -> Result<Self> {
        let ca = authority()?;
        let (serving, serving_key) = serving(&ca)?;
        let issuer = KeyPair::generate()?; // ECDSA P-256
        let admin_token = random_token()?;

        let ca_pem = ca.pem();
        let files = vec![
            (CA, ca_pem.clone()),
            (SERVING, serving),
            (SERVING_KEY, serving_key),
            (ISSUER_KEY, issuer.serialize_pem()),
            // In `--service-account-key-file` the API server reads a private key only if it is
            // RSA or SEC 1; the public half is always understood.
            (ISSUER_PUBLIC, issuer.public_key_pem()),
            (
                TOKENS,
                format!("{admin_token},admin,admin,\"system:masters\"\n"),
            ),
        ];
        Ok(Self {
            ca_pem,
            admin_token,
            files,
        })
    }

    /// Writes the files under the names above.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        self.files
            .iter()
            .try_for_each(|(name, text)| write_private(&folder.join(name), text))
    }
}

/// A certificate for this machine's loopback addresses, and the authority that signed it. All PEM.
pub struct LoopbackCertificate {
    /// The authority.
    pub ca_pem: String,
    /// The certificate.
    pub certificate_pem: String,
    /// Its key, PKCS 8.
    pub key_pem: String,
}

impl LoopbackCertificate {
    /// Makes both anew.
    ///
    /// # Errors
    /// If there is no randomness.
    pub fn new() -> Result<Self> {
        let ca = authority()?;
        let (certificate_pem, key_pem) = serving(&ca)?;
        Ok(Self {
            ca_pem: ca.pem(),
            certificate_pem,
            key_pem,
        })
    }
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>> {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "imageref test cluster CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

/// A server's certificate and key, both PEM. Names that are IP addresses become IP
/// alternative names.
fn serving(ca: &CertifiedIssuer<'static, KeyPair>) -> Result<(String, String)> {
    let names = [
        "127.0.0.1",
        "localhost",
        "kubernetes",
        "kubernetes.default.svc",
    ];
    let mut params = CertificateParams::new(names.map(String::from))?;
    params
        .distinguished_name
        .push(DnType::CommonName, "kube-apiserver");
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, ca)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

/// 128 bits from the kernel, in hexadecimal.
fn random_token() -> Result<String> {
    let mut bytes = [0_u8; 16];
    fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .context("reading /dev/urandom")?;
    Ok(bytes
        .iter()
        .fold(String::with_capacity(32), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        }))
}
