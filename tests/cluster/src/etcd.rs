//! What is asked of etcd itself, past the API server.
//!
//! Owns the way to its HTTP gateway ("gRPC gateway" in etcd's documentation). It must not know what
//! is stored. The invariant that would break first: no call waits without end for an etcd that was
//! frozen or killed.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(30);

/// Forgets all revisions but the present one, which is returned.
pub(crate) fn compact(socket: &Path) -> Result<u64> {
    // Any key will do; each answer's header has the revision.
    let answer = ask(socket, "/v3/kv/range", &json!({"key": "AA=="}))?;
    // 64-bit numbers are text in protobuf's JSON.
    let revision = answer["header"]["revision"]
        .as_str()
        .with_context(|| format!("no revision in {answer}"))?;
    let request = json!({"revision": revision, "physical": true});
    ask(socket, "/v3/kv/compaction", &request)?;
    Ok(revision.parse()?)
}

fn ask(socket: &Path, path: &str, body: &Value) -> Result<Value> {
    let exchange = || -> std::io::Result<String> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        let body = body.to_string();
        let length = body.len();
        // HTTP/1.0: the answer ends with the connection.
        let head = format!("POST {path} HTTP/1.0\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all((head + &body).as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = exchange().with_context(|| format!("asking etcd for {path}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.lines().next().unwrap_or_default();
    ensure!(
        status.split(' ').nth(1) == Some("200"),
        "etcd answers {path} with {status}: {body}"
    );
    serde_json::from_str(body).with_context(|| format!("etcd's answer to {path}: {body}"))
}
