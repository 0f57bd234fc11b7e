//! Owns a client that writes requests by hand and reads whatever comes back, and signers for it.
//! Must not be known here: what the answers should be.

use fakecloud::verify::{WireRequest, encode, hmac_sha256, sha256_hex};
use fakecloud::{FakeCloud, defaults};
use serde_json::Value;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer as far as it came.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Whether the whole body came.
    pub(crate) fn is_whole(&self) -> bool {
        self.header("content-length")
            .is_none_or(|length| length.parse() == Ok(self.body.len()))
    }

    /// Status and code, in the member that each cloud has it in.
    pub(crate) fn error(&self) -> (u16, String) {
        let body = self.json();
        let code = body
            .get("error_code")
            .or(body.get("Code"))
            .and_then(Value::as_str);
        (self.status, code.unwrap_or_default().to_owned())
    }
}

/// A request to be.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Ask {
    pub(crate) fn new(method: &str, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Ask {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: Vec::new(),
            body: String::new(),
        }
    }

    pub(crate) fn get(target: &str) -> Self {
        Ask::new("GET", target)
    }

    /// A GET below the default project.
    pub(crate) fn project(rest: &str) -> Self {
        Ask::get(&format!("/v1/{}/{rest}", defaults::PROJECT_ID))
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn body(mut self, body: &impl ToString) -> Self {
        self.body = body.to_string();
        self
    }

    /// With the default token.
    pub(crate) fn token(self) -> Self {
        self.header("X-Auth-Token", defaults::AUTH_TOKEN)
    }

    /// With a Huawei Cloud signature over host and date.
    pub(crate) fn huawei(self, cloud: &FakeCloud) -> Self {
        self.huawei_by(cloud, defaults::HUAWEI_AK, defaults::HUAWEI_SK)
    }

    pub(crate) fn huawei_by(mut self, cloud: &FakeCloud, key: &str, secret: &str) -> Self {
        let date = cloud.now().strftime("%Y%m%dT%H%M%SZ").to_string();
        self = self.header("X-Sdk-Date", &date);
        let slash = if self.path.ends_with('/') { "" } else { "/" };
        let canonical = format!(
            "{}\n{}{slash}\n{}\nhost:{}\nx-sdk-date:{date}\n\nhost;x-sdk-date\n{}",
            self.method,
            self.path,
            self.sorted_query(),
            cloud.address(),
            sha256_hex(self.body.as_bytes()),
        );
        let text = format!(
            "SDK-HMAC-SHA256\n{date}\n{}",
            sha256_hex(canonical.as_bytes())
        );
        let signature = hex::encode(hmac_sha256(secret.as_bytes(), text.as_bytes()));
        let value = format!(
            "SDK-HMAC-SHA256 Access={key}, SignedHeaders=host;x-sdk-date, Signature={signature}"
        );
        self.header("Authorization", &value)
    }

    /// With an Alibaba Cloud signature for an action, of PAI's version unless another one is set.
    pub(crate) fn alibaba(self, cloud: &FakeCloud, action: &str) -> Self {
        let nonce = uuid::Uuid::new_v4().to_string();
        self.alibaba_by(
            cloud,
            action,
            &nonce,
            defaults::ALIBABA_AK,
            defaults::ALIBABA_SECRET,
        )
    }

    pub(crate) fn alibaba_by(
        mut self,
        cloud: &FakeCloud,
        action: &str,
        nonce: &str,
        key: &str,
        secret: &str,
    ) -> Self {
        let date = cloud.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let hash = sha256_hex(self.body.as_bytes());
        if !self.headers.iter().any(|(name, _)| name == "x-acs-version") {
            self = self.header("x-acs-version", "2021-02-04");
        }
        self = self
            .header("x-acs-action", action)
            .header("x-acs-date", &date)
            .header("x-acs-signature-nonce", nonce)
            .header("x-acs-content-sha256", &hash);
        let mut signed = vec![("host".to_owned(), cloud.address().to_string())];
        signed.extend(
            self.headers
                .iter()
                .filter(|(name, _)| name.starts_with("x-acs-"))
                .cloned(),
        );
        signed.sort();
        let lines: Vec<String> = signed
            .iter()
            .map(|(name, value)| format!("{name}:{value}\n"))
            .collect();
        let names: Vec<&str> = signed.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(";");
        let canonical = format!(
            "{}\n{}\n{}\n{}\n{names}\n{hash}",
            self.method,
            self.path,
            self.sorted_query(),
            lines.concat(),
        );
        let text = format!("ACS3-HMAC-SHA256\n{}", sha256_hex(canonical.as_bytes()));
        let signature = hex::encode(hmac_sha256(secret.as_bytes(), text.as_bytes()));
        let value = format!(
            "ACS3-HMAC-SHA256 Credential={key},SignedHeaders={names},Signature={signature}"
        );
        self.header("Authorization", &value)
    }

    fn sorted_query(&self) -> String {
        let wire = WireRequest {
            method: "",
            path: "",
            query: &self.query,
            headers: &[],
            body: b"",
        };
        let mut pairs = wire.parameters();
        pairs.sort();
        let pairs: Vec<String> = pairs
            .iter()
            .map(|(key, value)| format!("{}={}", encode(key), encode(value)))
            .collect();
        pairs.join("&")
    }

    /// Sends the request and reads until the server closes the connection.
    pub(crate) async fn send(&self, cloud: &FakeCloud) -> io::Result<Reply> {
        let mut stream = TcpStream::connect(cloud.address()).await?;
        let query = if self.query.is_empty() {
            String::new()
        } else {
            format!("?{}", self.query)
        };
        let mut head = format!(
            "{} {}{query} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n",
            self.method,
            self.path,
            cloud.address(),
            self.body.len(),
        );
        for (name, value) in &self.headers {
            head.push_str(name);
            head.push_str(": ");
            head.push_str(value);
            head.push_str("\r\n");
        }
        stream
            .write_all(format!("{head}\r\n{}", self.body).as_bytes())
            .await?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await?;
        parse(&bytes).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// Sends a request that must be answered.
    pub(crate) async fn reply(&self, cloud: &FakeCloud) -> Reply {
        self.send(cloud).await.unwrap()
    }
}

fn parse(bytes: &[u8]) -> Option<Reply> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let mut reply = Reply {
        status,
        headers,
        body: bytes[end + 4..].to_vec(),
    };
    if reply.header("transfer-encoding") == Some("chunked") {
        reply.body = unchunk(&reply.body)?;
    }
    Some(reply)
}

fn unchunk(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = bytes.windows(2).position(|window| window == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..line]).ok()?, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(bytes.get(line + 2..line + 2 + size)?);
        bytes = bytes.get(line + 4 + size..)?;
    }
}
