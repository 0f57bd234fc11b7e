//! The long-term login of Huawei Cloud SWR: user name and password from a permanent access key.
//!
//! Owns the formula and nothing else. Must not know a clock, a network or which registry is asked.
//! The invariant that would break first: the password is made from the secret key and is as good
//! as one, so it leaves only as a [`SecretString`].
//!
//! Encoding: region and keys are taken as their UTF-8 bytes, unchanged. Neither region nor access
//! key may have a colon, which ends the user name in Basic authentication; both are checked where
//! they are read.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// User name and password for an SWR registry. Printing it shows no secret.
#[derive(Clone, Debug)]
pub struct Login {
    /// `<region>@<access key>`.
    pub username: String,
    /// Valid until the access key is deleted.
    pub password: SecretString,
}

/// The login for `region` (SWR User Guide, "Obtaining a long-term login command"): the password is
/// HMAC-SHA256 over the access key with the secret key as key, in lower-case hex.
///
/// For permanent keys only. Temporary ones need the login command that SWR itself makes.
#[expect(clippy::expect_used, reason = "HMAC accepts keys of any length")]
pub fn long_term_login(region: &str, access_key: &str, secret_key: &SecretString) -> Login {
    let key = secret_key.expose_secret().as_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length is accepted");
    mac.update(access_key.as_bytes());
    Login {
        username: format!("{region}@{access_key}"),
        password: hex::encode(mac.finalize().into_bytes()).into(),
    }
}

impl Login {
    /// Value of the `Authorization` header (RFC 7617, "The 'Basic' HTTP Authentication Scheme").
    pub fn basic_authorization(&self) -> SecretString {
        let pair = format!("{}:{}", self.username, self.password.expose_secret());
        format!("Basic {}", STANDARD.encode(pair)).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn printing_shows_no_secret() {
        let login = long_term_login("cn-north-4", "AK", &"SK".into());
        let text = format!("{login:?} {:?}", login.basic_authorization());
        assert!(!text.contains(login.password.expose_secret()), "{text}");
        assert!(!text.contains("Basic"), "{text}");
    }

    proptest! {
        #[test]
        fn any_text_gives_a_login_that_can_be_read_back(
            region in "[^:]{0,9}", access_key in "[^:]{0,9}", secret_key in ".{0,99}",
        ) {
            let login = long_term_login(&region, &access_key, &secret_key.into());
            let basic = login.basic_authorization();
            let encoded = basic.expose_secret().strip_prefix("Basic ").unwrap();
            let pair = String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap();
            let (username, password) = pair.split_once(':').unwrap();
            prop_assert_eq!(username, format!("{region}@{access_key}"));
            prop_assert_eq!(password, login.password.expose_secret());
            prop_assert!(password.len() == 64 && !password.contains(char::is_uppercase));
        }

        #[test]
        fn the_password_depends_on_both_keys_and_not_on_the_region(
            access_key in ".{1,9}", secret_key in ".{1,99}",
        ) {
            let password = |region, access_key: &str, secret_key: &str| {
                let login = long_term_login(region, access_key, &secret_key.into());
                login.password.expose_secret().to_owned()
            };
            let before = password("a", &access_key, &secret_key);
            prop_assert_eq!(&before, &password("b", &access_key, &secret_key));
            prop_assert_ne!(&before, &password("a", &format!("{access_key}x"), &secret_key));
            prop_assert_ne!(&before, &password("a", &access_key, &format!("{secret_key}x")));
        }
    }
}
