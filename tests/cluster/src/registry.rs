//! One registry: the CNCF distribution on loopback, with its images in memory.
//!
//! Owns its configuration, and the meaning of "ready". It must not know what is pushed to it, nor
//! who gives out tokens. The invariant that would break first: a `Registry` that was handed out
//! listens itself; a port that somebody else took first is noticed, because a registry says in its
//! log that it listens, and is answered with another one.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow, bail};
use tempfile::TempDir;

use crate::{
    binaries,
    credentials::LoopbackCertificate,
    kubeconfig::write_private,
    port,
    server::{Server, Spec},
};

const PREFIX: &str = "imageref-registry-";
const READY_LIMIT: Duration = Duration::from_secs(30);
const ATTEMPTS: u32 = 3;

/// Whom a registry shows its images.
#[derive(Clone, Copy, Debug)]
pub enum RegistryAuth<'a> {
    /// Everybody.
    Open,
    /// Whoever has one of these passwords: lines of an htpasswd file, by bcrypt.
    Htpasswd(&'a str),
    /// Whoever has a token of this service.
    Tokens {
        /// The URL that its challenges name.
        realm: &'a str,
        /// The issuer and, as `service`, the audience of tokens.
        service: &'a str,
        /// The service's public keys as a JSON Web Key Set; tokens are signed by ES256.
        jwks: &'a str,
    },
}

/// A running registry. It ends when this is dropped, and also when the process ends without dropping
/// it; what was pushed goes with it.
#[derive(Debug)]
pub struct Registry {
    // Dropped in this order: the server ends before its folder goes.
    server: Server,
    folder: TempDir,
    port: u16,
    ca_pem: Option<String>,
}

impl Registry {
    /// Starts a registry, over TLS or not, and waits until it listens.
    ///
    /// # Errors
    /// If the binary is missing, or it does not listen after half a minute.
    pub fn start(tls: bool, auth: RegistryAuth<'_>) -> Result<Self> {
        for _ in 1..ATTEMPTS {
            if let Some(registry) = Self::start_once(tls, auth)? {
                return Ok(registry);
            }
        }
        Self::start_once(tls, auth)?.ok_or_else(|| anyhow!("no port was free for a registry"))
    }

    /// `None`: the port was taken between the choice and the bind.
    fn start_once(tls: bool, auth: RegistryAuth<'_>) -> Result<Option<Self>> {
        let started = Instant::now();
        let certificate = tls.then(LoopbackCertificate::new).transpose()?;
        let port = port::free()?;
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir()?;
        let path = folder.path();
        let mut config = format!(
            "version: 0.1\nlog: {{level: info, accesslog: {{disabled: true}}}}\n\
             storage: {{inmemory: {{}}, delete: {{enabled: true}}}}\n\
             http:\n  addr: 127.0.0.1:{port}\n"
        );
        if let Some(certificate) = &certificate {
            fs::write(path.join("tls.crt"), &certificate.certificate_pem)?;
            write_private(&path.join("tls.key"), &certificate.key_pem)?;
            config += "  tls: {certificate: tls.crt, key: tls.key}\n";
        }
        match auth {
            RegistryAuth::Open => {}
            RegistryAuth::Htpasswd(lines) => {
                write_private(&path.join("htpasswd"), lines)?;
                config += "auth: {htpasswd: {realm: test registry, path: htpasswd}}\n";
            }
            RegistryAuth::Tokens {
                realm,
                service,
                jwks,
            } => {
                fs::write(path.join("jwks.json"), jwks)?;
                let names = format!("realm: {realm:?}, service: {service:?}, issuer: {service:?}");
                config += "auth: {token: {jwks: jwks.json, signingalgorithms: [ES256], ";
                config += &names;
                config += "}}\n";
            }
        }
        fs::write(path.join("config.yml"), config)?;
        let mut server = Server::spawn(Spec {
            name: "registry",
            program: binaries::registry(),
            args: vec!["serve".into(), "config.yml".into()],
            // Otherwise it looks for somebody to send traces to.
            env: vec![("OTEL_TRACES_EXPORTER".into(), "none".into())],
            folder: path,
            removes_folder: true,
        })?;
        loop {
            let log = server.log();
            if log.contains("listening on 127.0.0.1") {
                return Ok(Some(Self {
                    server,
                    folder,
                    port,
                    ca_pem: certificate.map(|certificate| certificate.ca_pem),
                }));
            }
            if log.contains("address already in use") {
                return Ok(None);
            }
            if let Some(status) = server.ended() {
                bail!("the registry ended with {status}; {}", server.last_words());
            }
            if started.elapsed() >= READY_LIMIT {
                bail!(
                    "the registry does not listen after {READY_LIMIT:?}; {}",
                    server.last_words()
                );
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// `127.0.0.1:PORT`, as references name it.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// `https://127.0.0.1:PORT`, or `http://` without TLS.
    pub fn origin(&self) -> String {
        let scheme = if self.ca_pem.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}", self.host())
    }

    /// The CA that signed its certificate, in PEM; `None` without TLS.
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// Its configuration, keys and log. The folder goes with the registry.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Kills it and waits until it is gone. Dropping does the same, but tells of no failure.
    ///
    /// # Errors
    /// If the process does not end.
    pub fn stop(mut self) -> Result<()> {
        self.server.stop()
    }
}
