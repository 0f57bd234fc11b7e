//! Planted secrets, and the search for them in whatever comes out.
//!
//! Owns the forms in which a secret could show: plain, percent-encoded, hexadecimal, base64 alone or
//! within something larger, and a token's parts. The invariant that would break first: a secret of
//! eight characters or more is found wherever it stands.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// What a search must not find.
#[derive(Default)]
pub(crate) struct Canaries(Vec<String>);

impl Canaries {
    /// Plants a secret, in every form that it could be seen in.
    pub(crate) fn plant(&mut self, secret: &str) {
        let mut forms = vec![
            secret.to_owned(),
            utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
            hex::encode(secret),
            STANDARD.encode(secret),
            URL_SAFE_NO_PAD.encode(secret),
        ];
        // Within something larger: its base64 depends on where it begins.
        for before in 0..3 {
            let text = STANDARD.encode(format!("{}{secret}", "x".repeat(before)));
            forms.push(text[4..text.len() - 4].to_owned());
        }
        // Parts too: a token's are worth as much as it.
        forms.extend(secret.split('.').map(str::to_owned));
        self.0
            .extend(forms.into_iter().filter(|form| form.len() >= 8));
    }

    /// How many forms are searched for.
    pub(crate) fn forms(&self) -> usize {
        self.0.len()
    }

    /// Searches a text for all of them.
    pub(crate) fn check(&self, text: &str) {
        for canary in &self.0 {
            assert!(!text.contains(canary.as_str()), "{canary} in: {text}");
        }
    }
}

#[test]
fn a_planted_secret_is_found_in_each_of_its_forms() {
    let mut canaries = Canaries::default();
    canaries.plant("canary-Pass+word/==1");
    let within = STANDARD.encode("user:canary-Pass+word/==1:more");
    for text in [
        "a canary-Pass+word/==1 b",
        "canary%2DPass%2Bword%2F%3D%3D1",
        "Y2FuYXJ5LVBhc3Mrd29yZC89PTE",
        &within,
        &hex::encode("canary-Pass+word/==1"),
    ] {
        let found = std::panic::catch_unwind(|| canaries.check(text));
        assert!(found.is_err(), "{text}");
    }
    canaries.check("canary-Passw0rd");
}
