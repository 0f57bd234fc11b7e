//! What IAM, STS and metadata services answer.
//!
//! Owns what must hold of `cloud::identity`. Inputs are answers of HTTP. The invariant that would
//! break first: what an answer issues is a secret, whether it can be read or not.

use crate::input::{Answer, SEEN, assert_line, assert_unseen, now};
use crate::platform::assert_failure;
use imageref::cloud::identity::{Issued, fuzzing, renewal};
use imageref::cloud::{Cloud, Credential};
use imageref::facts::Failure;

/// An answer.
pub(crate) fn issued_keys(bytes: &[u8]) {
    let answer = Answer::read(bytes);
    let answered = answer.answered();
    for cloud in [Cloud::Huawei, Cloud::Alibaba] {
        issued(fuzzing::keys(cloud, &answered, now()));
    }
    issued(fuzzing::iam_token(answer.answered(), now()));
    match fuzzing::metadata_token(&answered) {
        Ok(token) => assert_unseen(&format!("{token:?}")),
        Err(failure) => assert_failure(&failure),
    }
    match fuzzing::metadata_role(&answered) {
        // It becomes a segment of a path.
        Ok(role) => assert!(!role.is_empty() && !role.contains(['/', '?', '#', '%', ' '])),
        Err(failure) => assert_failure(&failure),
    }
}

fn issued(read: Result<Issued, Failure>) {
    match read {
        Ok(issued) => {
            assert_unseen(&format!("{issued:?}"));
            if let Credential::HuaweiKeys { access_key, .. }
            | Credential::AlibabaKeys { access_key, .. } = &issued.credential
            {
                assert_line(access_key, 256);
                assert!(!access_key.contains([',', '/', ' ']));
            }
            let Some(expires) = issued.expires_at else {
                return;
            };
            let good = renewal::good_until(issued.issued_at, expires);
            let renew = renewal::renew_at(issued.issued_at, expires, 7);
            assert!(renew <= good.max(issued.issued_at), "{renew} {good}");
        }
        Err(failure) => assert_failure(&failure),
    }
}

/// An answer.
pub(crate) fn identity_error(bytes: &[u8]) {
    let answered = Answer::read(bytes).answered();
    let sent = ["{\"password\": \"in-a-body\"}", SEEN];
    for failure in fuzzing::refusals(&answered, &sent) {
        assert_failure(&failure);
        let id = failure.request_id.unwrap_or_default();
        assert!(id.is_empty() || !sent.iter().any(|sent| sent.contains(&id)));
    }
}
