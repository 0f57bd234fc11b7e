//! The rights of the controller, and what is seen without each.
//!
//! Owns the table of its rights, and the ways of installing that it is held against. Must not know what is
//! declared. The invariant that would break first: each right has a row, and each row's sign is there
//! without the right alone.

use super::installed::{Installed, WATCHED};
use super::needs::{Row, Seen, each_is_needed, nothing_is_refused, those_are_needed};
use super::release::HOME;
use super::rights::Right;
use serde_json::json;

/// `list` and `watch` are needed for the same.
const fn followed(resource: &'static str, failed: &'static str) -> [Row<Installed>; 2] {
    [
        Row::new("list", resource, Seen::Log(failed)),
        Row::new("watch", resource, Seen::Log(failed)),
    ]
}

fn rows() -> Vec<Row<Installed>> {
    let lease = Seen::Log("the lease could not be read or taken");
    let event = Seen::Log("the event was not published");
    let reference = Seen::Log("the ImageRef could not be written");
    let provider = Seen::Log("the provider could not be written");
    let catalog = Seen::Log("the ImageCatalog could not be written");
    let labels = Seen::Ready(
        "imageref",
        "chosen",
        "Progressing",
        "cannot get resource \"namespaces\"",
    );
    let secret = Seen::Ready(
        "imageprovider",
        "default",
        "SecretInvalid",
        "may not be read",
    );
    let shared = Seen::Ready(
        "clusterimageprovider",
        "shared",
        "SecretInvalid",
        "may not be read",
    );
    let identity = Seen::Ready(
        "clusterimageprovider",
        "workload",
        "IdentityUnavailable",
        "serviceaccounts/token",
    );
    let mut rows = vec![
        Row::new("get", "leases", lease),
        Row::new("create", "leases", lease),
        // One that somebody gave back.
        Row::new("update", "leases", lease).before(Installed::free_lease),
        // An object that an older CRD let through is read by itself.
        Row::new("get", "imagerefs", reference),
        Row::new("patch", "imagerefs/status", reference),
        Row::new("patch", "imageproviders/status", provider),
        Row::new("patch", "clusterimageproviders/status", provider),
        Row::new("patch", "imagecatalogs/status", catalog),
        Row::new("get", "secrets", secret),
        Row::new("get", "secrets", shared).within(HOME),
        // A watch has to be allowed before it is asked for, so that nothing is refused.
        Row::new("watch", "secrets", Seen::Unheard(WATCHED)),
        Row::new("get", "serviceaccounts", identity),
        Row::new("create", "serviceaccounts/token", identity),
        Row::new("get", "namespaces", labels),
        Row::new("create", "events", event),
        Row::new("patch", "events", event).during(Installed::refuse_again),
        Row::new("patch", "events", event)
            .during(Installed::ready_again)
            .within("default"),
    ];
    rows.extend(followed("imagerefs", "the watch of ImageRefs failed"));
    rows.extend(followed(
        "imageproviders",
        "the watch of ImageProviders failed",
    ));
    rows.extend(followed(
        "clusterimageproviders",
        "the watch of ClusterImageProviders failed",
    ));
    rows.extend(followed(
        "imagecatalogs",
        "the watch of ImageCatalogs failed",
    ));
    rows
}

#[test]
fn each_right_of_the_default_values_and_of_workload_identity_is_needed() {
    let values = json!({"workloadIdentity": {"enabled": true}});
    let Some(installed) = Installed::new(&values) else {
        return;
    };
    each_is_needed(&installed, &installed.rights(), &rows());
}

#[test]
fn each_right_in_one_namespace_and_on_cluster_providers_is_needed() {
    let values =
        json!({"namespaces": ["team"], "clusterProviders": true, "webhook": {"enabled": false}});
    let Some(installed) = Installed::new(&values) else {
        return;
    };
    each_is_needed(&installed, &installed.rights(), &rows());
}

#[test]
fn each_right_on_secrets_that_are_listed_is_needed() {
    let values = json!({
        "namespaces": ["team"], "webhook": {"enabled": false},
        "rbac": {"secrets": "listed", "secretsListed": [{"namespace": "team", "names": ["huawei"]}]},
        "log": {"level": "info,imageref=debug"},
    });
    let Some(installed) = Installed::new(&values) else {
        return;
    };
    let rights = installed.rights();
    // The others are as without the list.
    let listed = |right: &Right| right.resource == "secrets";
    assert_eq!(rights.all.iter().filter(|right| listed(right)).count(), 2);
    those_are_needed(&installed, &rights, &rows(), listed);
}

#[test]
fn in_one_namespace_alone_no_right_reaches_beyond_it_and_nothing_is_refused() {
    let values = json!({"namespaces": ["team"], "webhook": {"enabled": false}});
    let Some(installed) = Installed::new(&values) else {
        return;
    };
    for right in &installed.rights().all {
        let lease = right.resource == "leases" && right.within.as_deref() == Some(HOME);
        assert!(lease || right.within.as_deref() == Some("team"), "{right}");
    }
    nothing_is_refused(&installed);
}
