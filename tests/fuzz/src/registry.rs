//! What registries and their token services answer, and logins in files.
//!
//! Owns what must hold of `registry`. Inputs are JSON bodies as they are, lines of headers, and
//! answers of HTTP. The invariant that would break first: a login is such that a registry could echo it.

use crate::input::{Answer, SEEN, assert_line, assert_unseen, now};
use crate::platform::{assert_failure, credentials};
use imageref::facts::{Digest, Platform};
use imageref::registry::fuzzing::{self, Said};
use imageref::registry::login::Issued;
use imageref::registry::{Access, DockerConfig, LARGEST_TOKEN, Login, MOST_ENTRIES, RegistryHosts};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use std::sync::Arc;
use url::Url;

/// A header a line.
pub(crate) fn challenge(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Some(Some((realm, service))) = fuzzing::challenge(text.lines()) else {
        return;
    };
    assert!(!realm.is_empty() && realm.len() <= text.len());
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let realm_part = format!("Bearer realm=\"{}\"", quoted(&realm));
    let service_part = service
        .as_ref()
        .map(|service| format!(",service=\"{}\"", quoted(service)));
    let written = realm_part + &service_part.unwrap_or_default();
    // More is not read.
    if written.len() <= 8 * 1024 {
        let again = fuzzing::challenge([written.as_str()]);
        assert_eq!(again, Some(Some((realm.clone(), service))));
    }
    let Ok(url) = realm.parse::<Url>() else {
        return;
    };
    let swr = "https://swr.cn-north-4.myhuaweicloud.com";
    let acr = "https://demo-registry.cn-hangzhou.cr.aliyuncs.com";
    let hosts = RegistryHosts::default();
    for (registry, domain) in [(swr, ""), (acr, ".aliyuncs.com")] {
        if fuzzing::may_name(&hosts, registry, &url) {
            assert!(url.scheme() == "https" && url.username().is_empty());
            let own = url.origin().ascii_serialization() == registry;
            let vendors = !domain.is_empty() && url.host_str().is_some_and(|h| h.ends_with(domain));
            assert!(own || vendors, "{url}");
        }
    }
}

/// A body.
pub(crate) fn manifest(bytes: &[u8]) {
    match fuzzing::manifest(bytes) {
        Ok(Said::Index(entries)) => {
            assert!(entries.len() <= MOST_ENTRIES);
            let written = entries
                .iter()
                .map(|(digest, platform)| entry(digest, platform.as_ref()));
            let written: Vec<_> = written.collect();
            let written = json!({"schemaVersion": 2, "manifests": written});
            let again = fuzzing::manifest(written.to_string().as_bytes());
            assert_eq!(again, Ok(Said::Index(entries.clone())));
            let platforms: Vec<_> = entries.into_iter().filter_map(|(_, p)| p).collect();
            platforms.iter().for_each(assert_platform);
            let kept = fuzzing::kept(platforms.clone());
            assert!(kept.len() <= 64 && kept.is_sorted());
            assert_eq!(fuzzing::kept(platforms.into_iter().rev().collect()), kept);
        }
        Ok(Said::Image(config)) => {
            if let Some(config) = config {
                assert_eq!(Digest::parse(config.as_str()), Some(config));
            }
        }
        Err(why) => {
            assert_line(&why, 200);
            assert_unseen(&why);
        }
    }
    match fuzzing::config(bytes) {
        Ok(platform) => platform.iter().for_each(assert_platform),
        Err(why) => {
            assert_line(&why, 200);
            assert_unseen(&why);
        }
    }
}

fn entry(digest: &Digest, platform: Option<&Platform>) -> Value {
    let platform = platform.map(|platform| {
        let Platform {
            os,
            architecture,
            variant,
        } = platform;
        json!({"os": os, "architecture": architecture, "variant": variant})
    });
    json!({"digest": digest.as_str(), "platform": platform})
}

/// It goes into a status as text, and verdicts read it from there.
fn assert_platform(platform: &Platform) {
    let written = platform.to_string();
    assert_line(&written.replace(['\n', '\t'], " "), 3 * 64 + 2);
    assert_eq!(
        Platform::parse(&written).as_ref(),
        Some(platform),
        "{written}"
    );
}

/// A body.
pub(crate) fn registry_token(bytes: &[u8]) {
    if bytes.len() > LARGEST_TOKEN {
        return;
    }
    match fuzzing::token(bytes, now()) {
        Ok(authorization) => {
            assert!(authorization.expose_secret().len() > "Bearer ".len());
            assert_unseen(&format!("{authorization:?}"));
        }
        Err(failure) => assert_failure(&failure),
    }
}

/// An answer.
pub(crate) fn registry_error(bytes: &[u8]) {
    let answer = Answer::read(bytes);
    let login = Access::with(Login {
        username: "user".into(),
        password: SEEN.into(),
    });
    let shown = [Arc::new(format!("Bearer {SEEN}").into())];
    for access in [Access::anonymous(), login] {
        for showed_login in [false, true] {
            let failures =
                fuzzing::refused(&access, &shown, showed_login, answer.status, answer.body);
            failures.iter().for_each(assert_failure);
        }
    }
}

/// An answer.
pub(crate) fn registry_login(bytes: &[u8]) {
    let answer = Answer::read(bytes);
    let host = "swr.cn-north-4.myhuaweicloud.com";
    for credential in credentials() {
        let read = fuzzing::swr_login(answer.answered(), &credential, host);
        login(read.as_ref().map_err(assert_failure).ok());
        let read = fuzzing::acr_login(answer.answered(), &credential);
        login(read.as_ref().map_err(assert_failure).ok());
        if let Err(failure) = fuzzing::acr_names(answer.answered(), &credential, host) {
            assert_failure(&failure);
        }
    }
}

fn login(issued: Option<&Issued>) {
    let Some(issued) = issued else {
        return;
    };
    assert_unseen(&format!("{issued:?}"));
    assert_sendable(&issued.login);
}

fn assert_sendable(login: &Login) {
    assert!(!login.username.is_empty() && !login.password.expose_secret().is_empty());
    let odd = |c: char| c == ':' || c.is_control();
    assert!(!login.username.contains(odd));
    let basic = login.basic_authorization();
    let basic = basic.expose_secret();
    assert!(basic.is_ascii() && !basic.contains(char::is_control));
}

/// The value of `.dockerconfigjson`.
pub(crate) fn docker_config(bytes: &[u8]) {
    let config = match DockerConfig::parse("team/pull", bytes) {
        Ok(config) => config,
        Err(why) => {
            assert_line(&why, 400);
            assert_unseen(&why);
            return;
        }
    };
    assert_unseen(&format!("{config:?}"));
    for (host, repository) in [
        ("swr.cn-north-4.myhuaweicloud.com", "ai-team/torch"),
        ("docker.io", "library/busybox"),
        ("harbor.example.com:8443", "a/b/c"),
    ] {
        match config.logins(host, repository) {
            Ok(logins) => {
                assert!(logins.len() <= 3);
                logins.iter().for_each(assert_sendable);
            }
            Err(why) => {
                assert_line(&why, 400);
                assert_unseen(&why);
            }
        }
    }
}
