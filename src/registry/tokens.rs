//! Tokens that registries' services gave, and how each registry wants to be asked.
//!
//! Owns how long a token is used, and that many who need one have it fetched once. Must not know how
//! one is fetched. The invariant that would break first: **a token got with one login is used for
//! that login alone**, at the registry and for the repository that it was got for.

use super::access::Key;
use super::challenge::Challenge;
use super::room::make_room;
use crate::facts::{Failure, FailureKind};
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a token is good that does not say (Docker Registry v2 token authentication).
const DEFAULT_LIFE: Duration = Duration::from_secs(60);
/// No token is used for longer, whatever it says.
const LONGEST_LIFE: Duration = Duration::from_secs(3600);
/// Bounds on what is remembered.
const MOST_TOKENS: usize = 4096;
const MOST_CHALLENGES: usize = 1024;

/// What a token is for.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct TokenKey {
    pub(super) access: Key,
    /// Where the registry is reached.
    pub(super) origin: String,
    pub(super) realm: String,
    pub(super) service: Option<String>,
    pub(super) repository: String,
}

/// A token as a header shows it, while it is good.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) authorization: Arc<SecretString>,
    from: Timestamp,
    until: Timestamp,
}

impl Token {
    /// One that was asked for at `from`. A fifth of its life is left unused: clocks differ, and a
    /// request is under way for a while.
    pub(super) fn new(token: &str, life: Option<Duration>, from: Timestamp) -> Self {
        let life = life.unwrap_or(DEFAULT_LIFE).min(LONGEST_LIFE);
        Self {
            authorization: Arc::new(format!("Bearer {token}").into()),
            from,
            until: from.checked_add(life * 4 / 5).unwrap_or(from),
        }
    }

    /// A clock that was set back makes no token young.
    fn is_good(&self, now: Timestamp) -> bool {
        (self.from..self.until).contains(&now)
    }
}

#[derive(Deserialize)]
struct Body {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<f64>,
}

/// Reads what a token service answers. `token` counts before `access_token`; a life that is no
/// positive number is none.
pub(super) fn read(body: &[u8], from: Timestamp, shown: &str) -> Result<Token, Failure> {
    let invalid = |what: &str| {
        let message = format!("the token service {shown} answered {what}");
        Failure::new(FailureKind::ResponseInvalid, message)
    };
    let body: Body =
        serde_json::from_slice(body).map_err(|_| invalid("with something else than a token"))?;
    let some = |token: &String| !token.is_empty();
    let token = body.token.filter(some).or(body.access_token.filter(some));
    let token = token.ok_or_else(|| invalid("without a token"))?;
    let life = body.expires_in.filter(|seconds| *seconds > 0.0);
    let life = life.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    Ok(Token::new(&token, life, from))
}

type Place = Arc<tokio::sync::Mutex<Option<Token>>>;

/// What is remembered for all logins.
#[derive(Default)]
pub(super) struct Tokens {
    places: Mutex<HashMap<TokenKey, Place>>,
    challenges: Mutex<HashMap<(Key, String), Challenge>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change is one insertion or a removal; a panic in between leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tokens {
    /// How a registry asked last.
    pub(super) fn challenge(&self, access: Key, origin: &str) -> Option<Challenge> {
        lock(&self.challenges)
            .get(&(access, origin.to_owned()))
            .cloned()
    }

    pub(super) fn remember(&self, access: Key, origin: &str, challenge: Challenge) {
        let mut challenges = lock(&self.challenges);
        if challenges.len() >= MOST_CHALLENGES {
            // Each costs one answer to be learned again.
            challenges.clear();
        }
        challenges.insert((access, origin.to_owned()), challenge);
    }

    /// Lets the registry say anew how it wants to be asked.
    pub(super) fn forget(&self, access: Key, origin: &str) {
        lock(&self.challenges).remove(&(access, origin.to_owned()));
    }

    /// The token for a key, and whether it was fetched for this question. One is fetched at a time;
    /// those who wait take what it brought. `refused` is one that the registry did not take.
    pub(super) async fn get<F, E>(
        &self,
        key: TokenKey,
        refused: Option<&Token>,
        now: Timestamp,
        fetch: F,
    ) -> Result<(Token, bool), E>
    where
        F: Future<Output = Result<Token, E>>,
    {
        let place = self.place(key, now);
        let mut held = place.lock().await;
        let is_refused = |token: &Token| {
            refused.is_some_and(|refused| Arc::ptr_eq(&refused.authorization, &token.authorization))
        };
        if let Some(token) = held
            .as_ref()
            .filter(|token| token.is_good(now) && !is_refused(token))
        {
            return Ok((token.clone(), false));
        }
        *held = None;
        let token = fetch.await?;
        *held = Some(token.clone());
        Ok((token, true))
    }

    fn place(&self, key: TokenKey, now: Timestamp) -> Place {
        let mut places = lock(&self.places);
        if let Some(place) = places.get(&key) {
            return place.clone();
        }
        if places.len() >= MOST_TOKENS {
            places.retain(|_, place| in_use(place, now));
        }
        if places.len() >= MOST_TOKENS {
            make_room(&mut places, |place| {
                let held = place.try_lock().ok()?;
                let from = held.as_ref().map(|token| token.from);
                (Arc::strong_count(place) == 1).then_some(from)
            });
        }
        places.entry(key).or_default().clone()
    }

    /// Drops the tokens that are good no more.
    pub(super) fn forget_ended(&self, now: Timestamp) {
        lock(&self.places).retain(|_, place| in_use(place, now));
    }
}

/// Whether a place is waited for or has a good token.
fn in_use(place: &Place, now: Timestamp) -> bool {
    let held = place.try_lock();
    held.is_ok_and(|held| held.as_ref().is_some_and(|token| token.is_good(now)))
        || Arc::strong_count(place) > 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn key(access: Key, repository: &str) -> TokenKey {
        TokenKey {
            access,
            origin: "https://h.example".into(),
            realm: "https://h.example/auth".into(),
            service: None,
            repository: repository.into(),
        }
    }

    #[test]
    fn a_tokens_life_is_what_it_says_within_bounds() {
        let ends = |body: &str| {
            let token = read(body.as_bytes(), at(1000), "h").unwrap();
            assert!(!token.is_good(at(999)), "{body}");
            (1000..9999)
                .find(|second| !token.is_good(at(*second)))
                .unwrap()
                - 1000
        };
        for (body, life) in [
            (r#"{"token":"t"}"#, 48),
            (r#"{"token":"t","expires_in":null}"#, 48),
            (r#"{"access_token":"t","expires_in":300}"#, 240),
            (r#"{"token":"","access_token":"t","expires_in":300.0}"#, 240),
            (r#"{"token":"t","expires_in":0}"#, 48),
            (r#"{"token":"t","expires_in":-5}"#, 48),
            (r#"{"token":"t","expires_in":1e300}"#, 48),
            (r#"{"token":"t","expires_in":999999}"#, 2880),
        ] {
            assert_eq!(ends(body), life, "{body}");
        }
        for body in [
            "",
            "<html>SEEN",
            "{}",
            r#"{"token":""}"#,
            r#"{"token":["SEEN"]}"#,
        ] {
            let failure = read(body.as_bytes(), at(0), "h.example").err().unwrap();
            assert_eq!(failure.kind, FailureKind::ResponseInvalid);
            assert!(failure.message.contains("h.example") && !failure.message.contains("SEEN"));
        }
    }

    #[tokio::test]
    async fn many_who_need_a_token_have_it_fetched_once_and_again_when_it_ends() {
        let (tokens, fetched) = (Tokens::default(), AtomicUsize::new(0));
        let get = |access, repository: &str, refused: Option<Token>, now| {
            let key = key(access, repository);
            let (tokens, fetched) = (&tokens, &fetched);
            async move {
                let fetch = async {
                    let number = fetched.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                    Ok::<_, Failure>(Token::new(&format!("t{number}"), None, at(now)))
                };
                tokens
                    .get(key, refused.as_ref(), at(now), fetch)
                    .await
                    .unwrap()
                    .0
            }
        };
        let anonymous = || Key::Anonymous;
        let all = (0..50).map(|_| get(anonymous(), "a", None, 1000));
        let got = futures::future::join_all(all).await;
        assert!(
            got.iter()
                .all(|token| token.authorization.expose_secret() == "Bearer t0")
        );
        for (access, repository, refused, now, expected) in [
            (anonymous(), "a", None, 1047, "Bearer t0"),
            (anonymous(), "b", None, 1047, "Bearer t1"),
            (Key::Login([7; 32]), "a", None, 1047, "Bearer t2"),
            (anonymous(), "a", None, 1048, "Bearer t3"),
            (anonymous(), "a", Some(got[0].clone()), 1049, "Bearer t3"),
        ] {
            let token = get(access, repository, refused, now).await;
            assert_eq!(token.authorization.expose_secret(), expected);
        }
        let refused = get(anonymous(), "a", None, 1050).await;
        let token = get(anonymous(), "a", Some(refused), 1050).await;
        assert_eq!(token.authorization.expose_secret(), "Bearer t4");
        tokens.forget_ended(at(2000));
        assert!(lock(&tokens.places).is_empty());
    }

    #[tokio::test]
    async fn among_too_many_tokens_the_oldest_make_room() {
        let tokens = Tokens::default();
        let get = async |number: usize, second| {
            let key = key(Key::Anonymous, &number.to_string());
            let fetch = async {
                let hour = Some(Duration::from_secs(3600));
                Ok::<_, Failure>(Token::new("t", hour, at(second)))
            };
            tokens.get(key, None, at(1000), fetch).await.unwrap().1
        };
        for number in 0..=MOST_TOKENS {
            let second = i64::try_from(number).unwrap() % 1000;
            assert!(get(number, second).await);
        }
        assert_eq!(
            lock(&tokens.places).len(),
            MOST_TOKENS - MOST_TOKENS / 8 + 1
        );
        let (old, young) = (1, 999);
        assert!(!get(young, 1000).await, "still there");
        assert!(get(old, 1000).await, "it made room");
    }
}
