//! What must never be seen: credentials, issued passwords, and every text that comes out, the log at
//! its finest among them.

use super::Bench;
use crate::canaries::Canaries;
use crate::identity::secrets::Log;
use fakecloud::{Fault, FaultKind, defaults};
use imageref::cloud::refusal::LONGEST_MESSAGE;
use imageref::registry::login::Granted;
use secrecy::ExposeSecret;
use serde_json::json;

#[tokio::test]
async fn nothing_issued_and_no_credential_is_in_any_debug_failure_or_log() {
    let bench = Bench::new().await;
    let log = Log::default();
    let _listening = log.listen();
    let mut texts = vec![format!("{:?}", bench.logins)];
    let mut canaries = Canaries::default();
    canaries.plant(defaults::HUAWEI_SK);
    canaries.plant(defaults::ALIBABA_SECRET);
    canaries.plant(defaults::AUTH_TOKEN);
    let all = bench.exchanged();
    for account in bench.fake.huawei_accounts().into_values() {
        canaries.plant(&account.sk);
        account
            .security_token
            .iter()
            .for_each(|token| canaries.plant(token));
    }
    for account in bench.fake.alibaba_accounts().into_values() {
        canaries.plant(&account.secret);
        account
            .security_token
            .iter()
            .for_each(|token| canaries.plant(token));
    }
    let permanent = crate::cloud::huawei(defaults::HUAWEI_SK);
    for keys in all.iter().chain([&permanent]) {
        let granted = bench.ask(keys).await.unwrap();
        texts.push(format!("{granted:?} {granted:#?} {:?}", bench.logins));
        if let Granted::Login(issued) = &granted {
            canaries.plant(issued.login.password.expose_secret());
            canaries.plant(&hex::encode(issued.proof));
        }
    }
    let passwords: Vec<_> = bench
        .fake
        .registry_logins()
        .into_iter()
        .map(|login| login.password)
        .collect();
    assert_eq!(passwords.len(), all.len());

    // Errors that repeat what they were sent, or what was issued before.
    let mut faults: Vec<_> = [400, 401, 403, 404, 429, 500]
        .map(|status| FaultKind::Echo { status })
        .to_vec();
    for password in &passwords {
        let bodies = [
            json!({"auths": {defaults::SWR_HOST: {"auth": password}}}),
            json!({"auths": password, "Endpoints": password}),
            json!({"Endpoints": [{"Domains": [{"Domain": password}]}], "IsSuccess": password}),
        ];
        faults.extend(bodies.map(|body| FaultKind::Body {
            status: 200,
            content_type: "application/json".into(),
            body: body.to_string(),
        }));
    }
    let mut failures = 0;
    for fault in faults {
        bench.fake.set_faults(vec![Fault::always(fault)]);
        for keys in &all {
            bench.pass(4000);
            let Err(failure) = bench.ask(keys).await else {
                continue;
            };
            failures += 1;
            let length = failure.message.chars().count();
            assert!(
                length <= LONGEST_MESSAGE && !failure.message.contains('\n'),
                "{failure}"
            );
            texts.push(format!("{failure:?} {failure}"));
        }
    }
    assert!(failures > 60, "{failures}");
    let text = log.text();
    assert!(
        text.contains("asked for a registry's login"),
        "the log was heard"
    );
    texts.push(text);
    for text in texts {
        canaries.check(&text);
        assert!(
            !text.contains("Signature=") && !text.contains("SignedHeaders"),
            "{text}"
        );
    }
    // Passwords came back in answers and went nowhere.
    for password in passwords {
        assert!(bench.fake.sightings(&password).is_empty());
    }
}
