//! What the API server says it was asked for.
//!
//! Owns the reading of its metrics. Must not know who asked. The invariant that would break first:
//! a status write counts only if the API server took it; conflicts and refusals are other codes.

use anyhow::{Context as _, Result};
use kube::Client;
use std::collections::BTreeMap;

/// The resources that the operator touches; the API server's own traffic is left out.
const RESOURCES: [&str; 6] = [
    "imagerefs",
    "imageproviders",
    "clusterimageproviders",
    "events",
    "secrets",
    "namespaces",
];

/// Requests since the start of the API server, and the watches that are open now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    requests: BTreeMap<String, u64>,
    /// Open watches of `ImageRef`s.
    pub(crate) watches: u64,
}

impl Traffic {
    /// Asks the API server.
    pub(crate) async fn read(client: &Client) -> Result<Self> {
        let request = http::Request::get("/metrics").body(Vec::new())?;
        let text = client.request_text(request).await;
        Ok(Self::parse(
            &text.context("reading the API server's metrics")?,
        ))
    }

    fn parse(text: &str) -> Self {
        let mut traffic = Self::default();
        for line in text.lines().filter(|line| line.starts_with("apiserver_")) {
            let Some((series, value)) = line.rsplit_once(' ') else {
                continue;
            };
            let Some((name, labels)) = series.split_once('{') else {
                continue;
            };
            let label = |name: &str| label(labels, name).unwrap_or_default();
            let resource = label("resource");
            let count = count(value);
            if name == "apiserver_longrunning_requests" {
                if resource == "imagerefs" && label("verb") == "WATCH" {
                    traffic.watches += count;
                }
            } else if name == "apiserver_request_total" && RESOURCES.contains(&resource) {
                let subresource = match label("subresource") {
                    "" => String::new(),
                    name => format!("/{name}"),
                };
                let key = format!(
                    "{} {resource}{subresource} {}",
                    label("verb"),
                    label("code")
                );
                *traffic.requests.entry(key).or_default() += count;
            }
        }
        traffic
    }

    /// What was asked for since an earlier reading, as `VERB resource CODE`.
    pub(crate) fn since(&self, earlier: &Self) -> BTreeMap<String, u64> {
        let before = |key: &String| earlier.requests.get(key).copied().unwrap_or_default();
        self.requests
            .iter()
            .map(|(key, count)| (key.clone(), count.saturating_sub(before(key))))
            .filter(|(_, count)| *count > 0)
            .collect()
    }
}

/// The writes of `ImageRef`s' statuses among requests.
pub(crate) fn status_writes(requests: &BTreeMap<String, u64>) -> u64 {
    ["PATCH", "APPLY", "PUT"]
        .iter()
        .filter_map(|verb| requests.get(&format!("{verb} imagerefs/status 200")))
        .sum()
}

/// A sample's value; from a million on it comes with an exponent.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counters are whole, and nothing runs long enough to reach 2^53"
)]
fn count(value: &str) -> u64 {
    value.parse::<f64>().unwrap_or(0.0) as u64
}

/// The value of one label; none of those read here holds a quote.
fn label<'a>(labels: &'a str, name: &str) -> Option<&'a str> {
    labels.split(',').find_map(|pair| {
        let value = pair.strip_prefix(name)?.strip_prefix("=\"")?;
        value.split('"').next()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = r#"
# TYPE apiserver_request_total counter
apiserver_request_total{code="200",component="apiserver",dry_run="",group="imageref.dev",resource="imagerefs",scope="resource",subresource="status",verb="PATCH",version="v1alpha1"} 5
apiserver_request_total{code="200",component="apiserver",dry_run="",group="coordination.k8s.io",resource="leases",scope="resource",subresource="",verb="PUT",version="v1"} 9
apiserver_longrunning_requests{component="apiserver",group="imageref.dev",resource="imagerefs",scope="namespace",subresource="",verb="WATCH",version="v1alpha1"} 10
"#;
    const AFTER: &str = r#"
apiserver_request_total{code="200",component="apiserver",dry_run="",group="imageref.dev",resource="imagerefs",scope="resource",subresource="status",verb="PATCH",version="v1alpha1"} 105
apiserver_request_total{code="200",component="apiserver",dry_run="",group="imageref.dev",resource="imagerefs",scope="resource",subresource="",verb="PATCH",version="v1alpha1"} 100
apiserver_request_total{code="409",component="apiserver",dry_run="",group="imageref.dev",resource="imagerefs",scope="resource",subresource="status",verb="PATCH",version="v1alpha1"} 2
apiserver_request_total{code="201",component="apiserver",dry_run="",group="events.k8s.io",resource="events",scope="resource",subresource="",verb="POST",version="v1"} 1e+02
apiserver_request_total{code="201",component="apiserver",dry_run="",group="events.k8s.io",resource="events",scope="resource",subresource="",verb="POST",version="v1"} 100
"#;

    #[test]
    fn only_status_writes_that_were_taken_count() {
        let requests = Traffic::parse(AFTER).since(&Traffic::parse(BEFORE));
        assert_eq!(status_writes(&requests), 100);
        let expected = BTreeMap::from([
            ("PATCH imagerefs 200".to_owned(), 100),
            ("PATCH imagerefs/status 200".to_owned(), 100),
            ("PATCH imagerefs/status 409".to_owned(), 2),
            ("POST events 201".to_owned(), 200),
        ]);
        assert_eq!(requests, expected);
    }

    #[test]
    fn open_watches_are_counted() {
        assert_eq!(Traffic::parse(BEFORE).watches, 10);
        assert_eq!(Traffic::parse(AFTER).watches, 0);
    }
}
