//! A platform's refusal, and how much of its words people get to see.
//!
//! Owns the sentence and its bounds. Must not know any platform's codes. The invariant that would
//! break first: a message is one line of bounded length without the request that a platform echoes.

use super::credential::Credential;
use super::transport::Answer;
use crate::facts::{Failure, FailureKind};

/// Bound on the platform's own words, in characters.
pub const LONGEST_QUOTE: usize = 200;
/// Bound on a whole message, in characters.
pub const LONGEST_MESSAGE: usize = 400;
const LONGEST_CODE: usize = 64;
const LONGEST_REQUEST_ID: usize = 128;

/// Both platforms answer a wrong signature with what they would have signed; it holds every signed
/// header, a security token among them. From the first of these on, in any case, nothing is shown.
const ECHOES: [&str; 13] = [
    "server string to sign",
    "server canonical",
    "canonical string",
    "canonicalrequest",
    "canonical request",
    "string to sign",
    "stringtosign",
    "signature=",
    "signedheaders",
    "authorization:",
    "x-auth-token:",
    "x-security-token:",
    "x-acs-",
];
/// A run of token characters this long is taken for a token: ids have at most 36.
const TOKEN_LENGTH: usize = 40;

/// What a platform's error answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The class.
    pub kind: FailureKind,
    /// The platform's code as it came; `None` if the answer has none.
    pub code: Option<String>,
    /// Our own sentence.
    pub sentence: &'static str,
    /// The platform's words as they came: for [`Refusal::message`] alone.
    pub(super) said: Option<String>,
    /// The id of the call, if the body has one.
    pub request_id: Option<String>,
}

impl Refusal {
    /// The sentence, the code, and what may be shown of the platform's words: one line.
    pub fn message(&self) -> String {
        self.message_of(self.sentence)
    }

    fn message_of(&self, sentence: &str) -> String {
        let code = self
            .code
            .as_deref()
            .map(|code| cut(&quotable(code), LONGEST_CODE));
        let said = self
            .said
            .as_deref()
            .map(|said| cut(&quotable(said), LONGEST_QUOTE));
        let parts: Vec<_> = [code, said]
            .into_iter()
            .flatten()
            .filter(|part| !part.is_empty())
            .collect();
        if parts.is_empty() {
            return sentence.to_owned();
        }
        cut(
            &format!("{sentence} ({})", parts.join(": ")),
            LONGEST_MESSAGE,
        )
    }

    /// The failure that this answer is. Takes what belongs to the credential out of the platform's
    /// words first, while they are still whole: cut text would hide the rest of a secret from search.
    pub(super) fn into_failure(self, answer: &Answer, credential: &Credential) -> Failure {
        let sentence = self.sentence;
        self.into_failure_of(sentence, answer, credential)
    }

    /// The same in another sentence of ours.
    pub(super) fn into_failure_of(
        mut self,
        sentence: &str,
        answer: &Answer,
        credential: &Credential,
    ) -> Failure {
        let own_id = self.request_id.as_deref().and_then(request_id);
        let mut request_id = answer.request_id.clone().or(own_id);
        let texts = [&mut self.said, &mut self.code, &mut request_id];
        for text in texts.into_iter().flatten() {
            credential.redact(text);
        }
        Failure {
            kind: self.kind,
            message: self.message_of(sentence),
            retry_after: answer.retry_after,
            request_id,
        }
    }
}

/// An id of a call, if it looks like one.
pub(crate) fn request_id(text: &str) -> Option<String> {
    let text = text.trim();
    let plain = text
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    (plain && (1..=LONGEST_REQUEST_ID).contains(&text.len())).then(|| text.to_owned())
}

/// One line without the echo of a request and without anything that looks like a key or a token.
pub(crate) fn quotable(text: &str) -> String {
    // ASCII only, so that offsets hold in the original.
    let lower = text.to_ascii_lowercase();
    let end = ECHOES
        .iter()
        .filter_map(|echo| lower.find(echo))
        .min()
        .unwrap_or(text.len());
    let text = text.get(..end).unwrap_or_default();
    let shown: String = text
        .chars()
        .map(|c| if is_shown(c) { c } else { ' ' })
        .collect();
    let words: Vec<_> = shown.split_whitespace().map(without_tokens).collect();
    words
        .join(" ")
        .trim_end_matches([':', ',', ';', '.', ' '])
        .to_owned()
}

/// Invisible characters and those that turn the direction of text could make a message lie.
fn is_shown(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn without_tokens(word: &str) -> String {
    let in_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '-' | '_');
    let mut kept = String::new();
    let mut rest = word;
    while !rest.is_empty() {
        let end = rest.find(|c| !in_token(c)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        kept.push_str(if looks_like_token(run) { "…" } else { run });
        let next = after.find(in_token).unwrap_or(after.len());
        let (between, after) = after.split_at(next);
        kept.push_str(between);
        rest = after;
    }
    kept
}

/// Long runs, and access key ids: Huawei's are some 20 upper-case letters and digits, Alibaba's
/// begin with `LTAI`.
fn looks_like_token(run: &str) -> bool {
    let upper = run
        .bytes()
        .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    run.len() >= TOKEN_LENGTH
        || (run.len() >= 16 && upper && run.bytes().any(|b| b.is_ascii_uppercase()))
        || (run.len() >= 12 && run.starts_with("LTAI"))
}

/// At most so many characters.
pub(crate) fn cut(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    let kept: String = text.chars().take(longest - 1).collect();
    kept + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(said: &str) -> String {
        Refusal {
            kind: FailureKind::BadRequest,
            code: Some("X.1".into()),
            sentence: "it failed",
            said: Some(said.into()),
            request_id: None,
        }
        .message()
    }

    #[test]
    fn the_platforms_words_are_one_line_and_end_before_an_echoed_request() {
        for (said, shown) in [
            ("", "it failed (X.1)"),
            (" two\r\n lines.\u{202e} ", "it failed (X.1: two lines)"),
            (
                "verify aksk signature fail, canonicalRequest:GET|/v1/",
                "it failed (X.1: verify aksk signature fail)",
            ),
            (
                "not matched. Server String To Sign is:GET",
                "it failed (X.1: not matched)",
            ),
            ("bad Signature=abc", "it failed (X.1: bad)"),
            (
                "ak HUAWEIAK000000000001 not exist",
                "it failed (X.1: ak … not exist)",
            ),
            (
                "key LTAI5tSomething9 unknown",
                "it failed (X.1: key … unknown)",
            ),
            (
                "image 278e88d1-5b71-4766-8502-b3ba72e824d9 in swr.example.com/a/b:1 not found",
                "it failed (X.1: image 278e88d1-5b71-4766-8502-b3ba72e824d9 in swr.example.com/a/b:1 not found)",
            ),
            (
                &format!("token ({}) bad", "Ab1+".repeat(12)),
                "it failed (X.1: token (…) bad)",
            ),
        ] {
            assert_eq!(message(said), shown);
        }
        assert_eq!(
            message(&"ä ".repeat(300)).chars().count(),
            "it failed (X.1: )".len() + LONGEST_QUOTE
        );
    }

    #[test]
    fn an_id_of_a_call_is_plain_text() {
        assert_eq!(request_id(" 5A14-f \n").as_deref(), Some("5A14-f"));
        for odd in ["", "a b", "é", &"a".repeat(200)] {
            assert_eq!(request_id(odd), None);
        }
    }
}
