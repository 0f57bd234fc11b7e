//! A registry's refusal: its class and the sentence that people read.
//!
//! Owns what each status and code means (OCI distribution specification, "Error Codes"). Pure. Must
//! not know how an answer came. The invariant that would break first: a message holds no part of a
//! login, a token or a body but the registry's own code and words, cut short.
//!
//! Registries do not agree on how they say that something is not there. SWR answers 401 with
//! `DENIED` for an organization that does not exist, as it does for a private one; so the sentence
//! says both.

use super::Access;
use super::access::redact_shown;
use crate::cloud::refusal::{LONGEST_MESSAGE, cut, quotable};
use crate::facts::{Failure, FailureKind};
use secrecy::SecretString;
use serde::Deserialize;
use std::sync::Arc;

const LONGEST_CODE: usize = 64;
const LONGEST_WORDS: usize = 160;

/// What the first error of an answer says.
#[derive(Default)]
pub(super) struct Said {
    code: Option<String>,
    message: Option<String>,
}

#[derive(Deserialize)]
struct Body {
    errors: Option<Vec<Error>>,
}

#[derive(Deserialize)]
struct Error {
    code: Option<String>,
    message: Option<String>,
}

/// What the question was about.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    /// The registry's host as references name it.
    pub(super) host: &'a str,
    /// The image as it is shown.
    pub(super) image: &'a str,
    pub(super) access: &'a Access,
    /// What requests about the image had for `Authorization`: tokens, or the login.
    pub(super) shown: &'a [Arc<SecretString>],
    /// Who answered.
    pub(super) asked: Asked,
    /// Whether the answer is to the login itself.
    pub(super) showed_login: bool,
}

/// What was asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Manifest,
    Config,
    Token,
}

impl Asked {
    /// The name in metrics.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Config => "config",
            Self::Token => "token",
        }
    }
}

impl Said {
    fn read(body: &[u8], question: &Question<'_>) -> Option<Self> {
        let body: Body = serde_json::from_slice(body).ok()?;
        let first = body.errors?.into_iter().next()?;
        let shown = |text: Option<String>, longest| {
            let mut text = text?;
            question.access.redact(&mut text);
            for authorization in question.shown {
                redact_shown(authorization, &mut text);
            }
            Some(cut(&quotable(&text), longest)).filter(|text| !text.is_empty())
        };
        Some(Self {
            code: shown(first.code, LONGEST_CODE),
            message: shown(first.message, LONGEST_WORDS),
        })
    }

    /// Whether it is about the image, also where it comes with 401. The token service of SWR says
    /// `DENIED` of a wrong password too, and a login that is not known for wrong is shown again.
    fn is_of_image(&self, asked: Asked) -> bool {
        let absent = || {
            let words = self.message.as_deref().unwrap_or_default();
            words.contains("does not exist")
        };
        self.code.as_deref() == Some("DENIED") && (asked != Asked::Token || absent())
    }

    /// In brackets behind a sentence: the registry's words, else the status.
    fn quoted(&self, status: u16) -> String {
        let parts: Vec<_> = [&self.code, &self.message]
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        if parts.is_empty() {
            format!("(status {status})")
        } else {
            format!("({})", parts.join(": "))
        }
    }
}

/// The failure that an answer other than a success is.
pub(super) fn failure(question: &Question<'_>, status: u16, body: &[u8]) -> Failure {
    let read = Said::read(body, question);
    let spoke = read.is_some();
    let said = read.unwrap_or_default();
    let Question { host, image, .. } = question;
    let quoted = said.quoted(status);
    let (kind, sentence) = match status {
        401 | 403 => denied(question, status, &said),
        404 if spoke && question.asked == Asked::Manifest => (
            FailureKind::NotFound,
            format!("registry {host} does not have {image} {quoted}"),
        ),
        404 if spoke && question.asked == Asked::Config => (
            FailureKind::ResponseInvalid,
            format!("registry {host} does not have the config that {image} names {quoted}"),
        ),
        404 => (
            FailureKind::ResponseInvalid,
            format!("{host} does not answer as a registry does {quoted}"),
        ),
        429 => (
            FailureKind::Throttled,
            format!("registry {host} asks for a pause {quoted}"),
        ),
        300..=399 => (
            FailureKind::ProviderError,
            format!("registry {host} answered with a redirect, which is not followed"),
        ),
        400..=499 => (
            FailureKind::BadRequest,
            format!("registry {host} refuses the question about {image} {quoted}"),
        ),
        _ => (
            FailureKind::ProviderError,
            format!("registry {host} fails to answer about {image} {quoted}"),
        ),
    };
    Failure::new(kind, cut(&sentence, LONGEST_MESSAGE + image.len()))
}

fn denied(question: &Question<'_>, status: u16, said: &Said) -> (FailureKind, String) {
    let Question { host, image, .. } = question;
    let quoted = said.quoted(status);
    let has_login = question.access.login().is_some();
    // What is not about the image, and what a login gets back, is about the login.
    if status == 401 && has_login && question.showed_login && !said.is_of_image(question.asked) {
        return (
            FailureKind::AuthenticationFailed,
            format!("registry {host} refuses the login {quoted}: check user name and password"),
        );
    }
    let fix = if has_login {
        "it may not exist, or the login may not pull it"
    } else {
        "it may not exist, or be private: give the provider a login in spec.registry"
    };
    (
        FailureKind::PermissionDenied,
        format!("registry {host} refuses to show {image} {quoted}: {fix}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Login;

    /// Who asks whom (`+` if the login itself was shown), the status and body of the answer; the
    /// class, and words of the sentence.
    const TABLE: &str = "
anonymous manifest 401 denied       permission_denied     does not exist): it may not exist, or be private
anonymous token    401 unauthorized permission_denied     spec.registry
login     token+   401 unauthorized authentication_failed check user name
login     token+   401 denied       permission_denied     the login may not pull it
login     token+   401 wrong        authentication_failed (DENIED: Authenticate Error): check user name
anonymous token    401 wrong        permission_denied     (DENIED: Authenticate Error): it may not exist
login     token+   403 html         permission_denied     (status 403)
login     manifest 401 unauthorized permission_denied     the login may not pull it
login     manifest+ 401 html        authentication_failed (status 401)
login     manifest 404 unknown      not_found             does not have h.example/a:1 (MANIFEST_UNKNOWN
login     config   404 unknown      response_invalid      the config that
login     manifest 404 html         response_invalid      does not answer as a registry
login     token+   404 unknown      response_invalid      does not answer as a registry
login     manifest 429 html         throttled             pause
login     manifest 307 html         provider_error        redirect
login     manifest 400 unknown      bad_request           refuses the question
login     manifest 503 html         provider_error        (status 503)
login     manifest 206 html         provider_error        (status 206)";

    fn errors(code: &str, message: &str) -> String {
        serde_json::json!({"errors": [{"code": code, "message": message, "detail": "DETAIL"}]})
            .to_string()
    }

    fn login() -> Access {
        Access::with(Login {
            username: "u".into(),
            password: "secret-password".into(),
        })
    }

    #[test]
    fn each_answer_has_a_class_and_a_sentence_that_says_what_to_do() {
        let (login, anonymous) = (login(), Access::anonymous());
        for row in TABLE.trim().lines() {
            let columns: Vec<_> = row.split_whitespace().collect();
            let [who, whom, status, body, kind, words @ ..] = columns.as_slice() else {
                panic!("{row}");
            };
            let question = Question {
                host: "h.example",
                image: "h.example/a:1",
                access: if *who == "login" { &login } else { &anonymous },
                shown: &[],
                asked: match whom.trim_end_matches('+') {
                    "manifest" => Asked::Manifest,
                    "config" => Asked::Config,
                    _ => Asked::Token,
                },
                showed_login: whom.ends_with('+'),
            };
            let body = match *body {
                "denied" => errors("DENIED", "Image organization does not exist"),
                "wrong" => errors("DENIED", "Authenticate Error"),
                "unauthorized" => errors("UNAUTHORIZED", "authentication required"),
                "unknown" => errors("MANIFEST_UNKNOWN", "manifest unknown"),
                _ => "<html>DETAIL".to_owned(),
            };
            let failure = failure(&question, status.parse().unwrap(), body.as_bytes());
            assert_eq!(failure.kind.as_str(), *kind, "{row}: {failure}");
            assert!(
                failure.message.contains(&words.join(" ")),
                "{row}: {failure}"
            );
            assert!(!failure.message.contains("DETAIL"), "{failure}");
        }
    }

    #[test]
    fn a_registrys_words_are_short_and_without_the_login() {
        let access = login();
        let question = Question {
            host: "h.example",
            image: "h.example/a:1",
            access: &access,
            shown: &[Arc::new("Bearer a-Token".into())],
            asked: Asked::Manifest,
            showed_login: false,
        };
        let long = format!(
            "no secret-password, a-Token or a-token,\u{1b}[31m\n {}",
            "wide ".repeat(200)
        );
        let message = failure(&question, 403, errors("X", &long).as_bytes()).message;
        assert!(message.contains("no …, … or …, [31m wide"), "{message}");
        assert!(
            message.chars().count() < 400 && !message.contains(char::is_control),
            "{message}"
        );
    }
}
