//! What `deploy/webhook.yaml` says, for a webhook on this machine.
//!
//! Owns where API servers find it. Must not know its process. The invariant that would break first: the
//! rights and rules are those that are deployed.

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

const MANIFEST: &str = include_str!("../../../deploy/webhook.yaml");

/// The documents, with an address and the authority of its certificate in place of a Service.
pub(crate) fn documents(address: &str, authority_pem: &str) -> Result<Vec<Value>> {
    let documents = MANIFEST.split("\n---\n").map(|text| {
        let mut document: Value =
            serde_saphyr::from_str(text).context("deploy/webhook.yaml is not YAML")?;
        let webhooks = document.get_mut("webhooks").and_then(Value::as_array_mut);
        for webhook in webhooks.into_iter().flatten() {
            let path = webhook["clientConfig"]["service"]["path"].take();
            let path = path.as_str().context("a webhook has a path")?;
            webhook["clientConfig"] = json!({
                "url": format!("https://{address}{path}"),
                "caBundle": STANDARD.encode(authority_pem),
            });
        }
        Ok(document)
    });
    documents.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_leads_to_the_address_and_keeps_its_path() {
        let documents = documents("127.0.0.1:1", "PEM").unwrap();
        let webhooks = documents
            .iter()
            .filter_map(|one| one["webhooks"].as_array());
        let urls: Vec<_> = webhooks
            .flatten()
            .map(|one| &one["clientConfig"]["url"])
            .collect();
        assert!(
            urls.contains(&&json!("https://127.0.0.1:1/validate/enforce")),
            "{urls:?}"
        );
        assert!(urls.iter().all(|url| url.is_string()), "{urls:?}");
    }
}
