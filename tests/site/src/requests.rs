//! Requests to the API server in great number.
//!
//! Owns how many are under way at once. Must not know what they are about; answers are read and thrown
//! away. The invariant that would break first: the first that is refused ends all.

use crate::progress::Progress;
use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::Client;
use kube::api::{PostParams, Request};
use serde_json::Value;

/// For whatever is not measured.
const PREPARING: usize = 32;

/// A request that was made and not sent.
pub type Prepared = http::Request<Vec<u8>>;

/// Sends requests, so many at once; the first that is refused ends it.
pub async fn send(
    client: &Client,
    requests: impl Iterator<Item = Result<Prepared>>,
    concurrency: usize,
) -> Result<()> {
    stream::iter(requests)
        .map(|request| async move {
            let request = request?;
            let what = format!("{} {}", request.method(), request.uri());
            client.request_text(request).await.context(what).map(drop)
        })
        .buffer_unordered(concurrency)
        .try_for_each(|()| std::future::ready(Ok(())))
        .await
}

/// As [`send`], for requests that are not measured.
pub async fn prepare(
    client: &Client,
    progress: &Progress,
    requests: impl Iterator<Item = Result<Prepared>>,
) -> Result<()> {
    let mut sent = 0;
    let counted = requests.inspect(|_| {
        sent += 1;
        progress.done(sent);
    });
    send(client, counted, PREPARING).await
}

/// A request that creates an object in a collection.
pub fn create(path: &str, object: &Value) -> Result<Prepared> {
    let data = serde_json::to_vec(object)?;
    Ok(Request::new(path).create(&PostParams::default(), data)?)
}
