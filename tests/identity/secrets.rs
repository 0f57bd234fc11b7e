//! What must never be seen: planted proofs and issued secrets in every form, and every text that
//! comes out of an exchange, the log at its finest among them.

use super::{Bench, agency, id_token, identity, password, rrsa, sts, user};
use crate::canaries::Canaries;
use fakecloud::{Fault, FaultKind, Operation, defaults};
use imageref::cloud::Credential;
use imageref::cloud::identity::{
    AgencyUser, CacheOptions, CredentialCache, ProjectIds, Source, TokenSource,
};
use serde_json::json;
use std::io::Write;
use std::sync::{Arc, Mutex};
use tracing_subscriber::fmt::MakeWriter;

/// The log, as a subscriber writes it.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Log {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    pub(crate) fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter("imageref=trace")
            .with_ansi(false)
            .with_writer(self.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }
}

const PASSWORD: &str = "canary-Pass+word/==1";
const SECRET_KEY: &str = "canary-Secret+key/==2";
const JWT: &str = "Y2FuYXJ5LWhlYWRlcg.Y2FuYXJ5LXBheWxvYWQ.Y2FuYXJ5LXNpZ25hdHVyZQ";
const PLANTED: [&str; 3] = [PASSWORD, SECRET_KEY, JWT];

/// Every form with planted proofs.
fn planted(bench: &Bench) -> Vec<Source> {
    let file = bench.file_with(JWT);
    let token = || TokenSource::Projected(file.clone());
    let keys = Credential::HuaweiKeys {
        access_key: defaults::HUAWEI_AK.into(),
        secret_key: SECRET_KEY.into(),
        security_token: Some(JWT.into()),
    };
    vec![
        password(PASSWORD, None),
        agency(user(PASSWORD), defaults::AGENCY),
        agency(AgencyUser::Keys(keys), defaults::AGENCY),
        sts(token()),
        id_token(token()),
        rrsa(defaults::ALIBABA_ROLE_ARN, token()),
        Source::HuaweiPodIdentity {
            uri: bench.uri("/pod-identity/credentials"),
            token_file: file.clone(),
        },
        Source::HuaweiMetadata,
        Source::AlibabaMetadata { role: None },
        Source::AlibabaCredentialsUri {
            uri: bench.uri(&format!("/{JWT}")),
        },
    ]
}

/// Answers that repeat a secret, in the ways on record and in worse ones.
fn echoes(secret: &str) -> Vec<FaultKind> {
    let body = |status, body: String| FaultKind::Body {
        status,
        content_type: "application/json".into(),
        body,
    };
    let texts = [
        secret.to_owned(),
        format!("IAM.{secret}"),
        format!("AuthenticationFail.OIDCToken.{secret}"),
        format!("{} {secret}", "padding ".repeat(40)),
    ];
    let mut all = vec![
        FaultKind::Redirect {
            to: format!("https://evil.example/{secret}"),
        },
        body(200, json!({"credential": {"access": secret}}).to_string()),
        body(
            200,
            json!({"credential": {"access": [secret], "secret": secret}}).to_string(),
        ),
        body(
            200,
            json!({"Code": secret, "AccessKeyId": secret, "AccessKeySecret": secret}).to_string(),
        ),
        body(200, format!("{{\"credential\": {secret}")),
    ];
    for text in &texts {
        for status in [400, 401, 403, 404, 429, 500] {
            all.push(body(status, text.clone()));
            all.push(body(
                status,
                json!({"error_code": text, "error_msg": text, "request_id": text}).to_string(),
            ));
            all.push(body(
                status,
                json!({"error": {"code": text, "message": text, "title": text}}).to_string(),
            ));
            all.push(body(
                status,
                json!({"Code": text, "Message": text, "RequestId": text}).to_string(),
            ));
        }
    }
    all
}

#[tokio::test]
async fn no_proof_is_in_any_failure_debug_or_log() {
    let bench = Bench::new().await;
    let log = Log::default();
    let _listening = log.listen();
    let mut canaries = Canaries::default();
    for secret in PLANTED {
        canaries.plant(secret);
    }
    let mut seen = 0;
    for source in planted(&bench) {
        let identity = Arc::new(identity(source.clone()));
        canaries.check(&format!(
            "{source:?} {identity:?} {:?} {:#?}",
            identity.proof(),
            identity
        ));
        for fault in PLANTED.iter().flat_map(|secret| echoes(secret)) {
            bench.fake.set_faults(vec![Fault::always(fault)]);
            let cache = CredentialCache::new(bench.exchanger.clone(), CacheOptions::default());
            let Err(failure) = cache.credential(&identity).await else {
                continue;
            };
            seen += 1;
            canaries.check(&format!("{failure:?} {failure} {cache:?}"));
            assert!(
                !failure.message.contains('\n') && failure.message.len() < 400,
                "{failure}"
            );
        }
        bench.fake.clear_faults();
        canaries.check(&format!(
            "{:?}",
            bench.exchanger.exchange(&identity).await.map(|_| ())
        ));
    }
    assert!(seen > 2_000, "{seen}");
    let text = log.text();
    assert!(
        text.contains("DEBUG imageref") && text.contains("WARN imageref"),
        "the log was heard"
    );
    canaries.check(&text);
}

#[tokio::test]
async fn nothing_issued_is_in_any_debug_or_log_nor_the_token_on_the_way() {
    let bench = Bench::new().await;
    let log = Log::default();
    let _listening = log.listen();
    let projects = ProjectIds::new(bench.exchanger.clone(), Arc::default());
    let cache = CredentialCache::new(bench.exchanger.clone(), CacheOptions::default());
    let mut texts = vec![format!("{:?}", bench.exchanger)];
    for source in super::all(&bench) {
        let identity = Arc::new(identity(source));
        let issued = bench.exchanger.exchange(&identity).await.unwrap();
        let credential = cache.credential(&identity).await.unwrap();
        texts.push(format!(
            "{issued:?} {issued:#?} {credential:?} {cache:?} {identity:?}"
        ));
        if identity.source().form().starts_with("huawei") {
            texts.push(format!("{:?}", projects.of(&identity, &credential).await));
        }
    }
    // The second call of two repeats what the first one brought, or fails on its own.
    for operation in [
        Operation::IamSecurityTokens,
        Operation::MetadataSecurityKey,
        Operation::EcsMetadataKeys,
    ] {
        let tokens: Vec<_> = bench
            .fake
            .seen_tokens()
            .into_iter()
            .map(|seen| seen.token)
            .collect();
        for token in tokens.iter().take(8) {
            let body = json!({"error_code": token, "error_msg": token, "Code": token}).to_string();
            let fault = FaultKind::Body {
                status: 400,
                content_type: "x/y".into(),
                body,
            };
            bench
                .fake
                .set_faults(vec![Fault::always(fault).on(operation)]);
            for source in super::all(&bench) {
                let failed = bench.exchange(source).await.map(|_| ());
                texts.push(format!("{failed:?}"));
            }
        }
    }
    let mut canaries = Canaries::default();
    canaries.plant(defaults::IAM_PASSWORD);
    canaries.plant(defaults::HUAWEI_SK);
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
    for seen in bench.fake.seen_tokens() {
        canaries.plant(&seen.token);
    }
    assert!(canaries.forms() > 300, "{}", canaries.forms());
    texts.push(log.text());
    for text in texts {
        canaries.check(&text);
    }
}
