//! Registries that want to know who asks: logins from a Secret and from the provider's own keys.

use super::*;
use std::time::{Duration, Instant};

/// The provider's registry section with the login of a Secret.
fn by_secret(name: &str) -> Value {
    json!({"registry": {"auth": {"secretRef": {"name": name}}}})
}

fn stale(object: &Value) -> String {
    condition(object, "Stale")["message"].to_string()
}

#[test]
fn a_private_image_is_denied_without_a_login_and_read_with_that_of_a_secret() {
    let Some(lane) = Lane::new("private") else {
        return;
    };
    let (source, digest) = lane.image(&lane.closed("app"));
    lane.modelarts("default");
    lane.image_ref("one", &source);
    let denied = lane.wait_stale("one", "RegistryDenied");
    assert_eq!(condition(&denied, "Ready")["status"], "True");
    assert_eq!(denied["status"]["digest"], Value::Null);

    lane.pull_secret("pull", USER, PASSWORD);
    lane.patch("imageprovider/default", &by_secret("pull"));
    let read = lane.wait_digest("one", &digest);
    assert_eq!(ready_since(&read), ready_since(&denied));
    lane.wait_stale("one", Value::Null);
}

#[test]
fn a_mended_secret_is_noticed_by_itself() {
    let Some(lane) = Lane::new("mended") else {
        return;
    };
    let (source, digest) = lane.image(&lane.closed("app"));
    lane.pull_secret("pull", USER, "wrong-password");
    lane.modelarts("default");
    lane.patch("imageprovider/default", &by_secret("pull"));
    lane.image_ref("one", &source);
    let denied = lane.wait_stale("one", "RegistryDenied");
    assert!(!denied.to_string().contains("wrong-password"));
    lane.pull_secret("pull", USER, PASSWORD);
    // It is believed for a minute, and providers are looked at each minute.
    let deadline = Instant::now() + Duration::from_secs(180);
    while lane.get("imageref", "one")["status"]["digest"] != digest.as_str() {
        assert!(Instant::now() < deadline, "{}", lane.operator_log());
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_secret_of_the_same_name_in_another_namespace_is_not_read() {
    let (Some(owner), Some(other)) = (Lane::new("owner"), Lane::new("other")) else {
        return;
    };
    owner.pull_secret("pull", USER, PASSWORD);
    let (source, _) = other.image(&other.closed("app"));
    other.modelarts("default");
    other.patch("imageprovider/default", &by_secret("pull"));
    other.image_ref("one", &source);
    let denied = other.wait_stale("one", "RegistryDenied");
    let words = format!("Secret {}/pull does not exist", other.namespace);
    assert!(stale(&denied).contains(&words), "{denied:#}");
    assert!(other.front.drain().is_empty(), "nobody is asked without it");
    // A field for another namespace there is not.
    let there = json!({"registry": {"auth": {"secretRef": {"name": "pull", "namespace": owner.namespace}}}});
    let patch = json!({ "spec": there }).to_string();
    let strict = [
        "-n",
        &other.namespace,
        "patch",
        "--type=merge",
        "-p",
        &patch,
        "imageprovider/default",
    ];
    other.cluster.kubectl(&strict).unwrap();
    let stored = other.get("imageprovider", "default")["spec"].clone();
    assert_eq!(
        stored["registry"]["auth"]["secretRef"],
        json!({"name": "pull"})
    );
}

#[test]
fn the_providers_own_keys_log_in_to_swr_and_go_to_no_other_host() {
    let Some(lane) = Lane::new("own-keys") else {
        return;
    };
    let repository = lane.closed("app");
    let digest = lane.push(&repository, "linux/arm64", "");
    lane.modelarts("default");
    let own = json!({"registry": {"auth": {"fromProvider": {}}}});
    lane.patch("imageprovider/default", &own);
    let path = format!("{}/{repository}:1", defaults::SWR_HOST);
    lane.image_ref("swr", &source(&lane.notebook(&path)));
    lane.wait_digest("swr", &digest);
    // The same image by a name that is not SWR's of this region.
    lane.image_ref(
        "elsewhere",
        &source(&lane.notebook(&lane.path(&repository))),
    );
    let denied = lane.wait_stale("elsewhere", "RegistryDenied");
    assert!(stale(&denied).contains(&lane.host), "{denied:#}");

    let shown = |front: &Front| {
        let seen = front.seen();
        let own: Vec<_> = seen
            .into_iter()
            .filter(|seen| seen.path.contains(&repository))
            .collect();
        assert!(!own.is_empty());
        own.into_iter()
            .filter_map(|seen| seen.authorization)
            .collect::<Vec<_>>()
    };
    let (swr, lanes) = (shown(&lane.shared.swr), shown(&lane.front));
    assert!(
        swr.iter().all(|shown| shown.starts_with("Bearer ")),
        "the token alone"
    );
    // Whoever shows no login has a token that opens nothing.
    assert!(
        !lanes
            .iter()
            .any(|shown| swr.contains(shown) || shown.starts_with("Basic "))
    );
    let scope = format!("scope=repository%3A{}", repository.replace('/', "%2F"));
    let asked = lane.shared.guarded.service.seen();
    let asked: Vec<_> = asked
        .iter()
        .filter(|seen| seen.query.contains(&scope))
        .collect();
    let with_login = asked
        .iter()
        .filter(|seen| seen.authorization.is_some())
        .count();
    assert_eq!((with_login, asked.len()), (1, 2), "{asked:?}");
}
