//! One look-up's requests to one registry, with whatever the registry wants to see of the asker.
//!
//! Owns the way of a challenge: tokens for `pull` of the one repository, fetched at the service that
//! the registry names, or the login itself where the registry asks for that. Must not know what the
//! answers say of an image. The invariant that would break first: **the login goes to the registry
//! and to the token service that [`RegistryHosts::may_name`] accepts; nothing goes along to where a
//! config is stored**.

use super::access::{Access, redact_shown};
use super::challenge::Challenge;
use super::look::Missed;
use super::manifest::ACCEPT;
use super::refusal::{self, Asked, Question};
use super::tokens::{self, Token, TokenKey, Tokens};
use super::wire::{
    Answer, Call, LARGEST_CONFIG, LARGEST_MANIFEST, LARGEST_TOKEN, MOST_REDIRECTS, Wire,
};
use crate::facts::{Digest, Failure, FailureKind, Reference};
use secrecy::SecretString;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use url::Url;

pub(super) struct Session<'a> {
    pub(super) wire: &'a Wire,
    pub(super) tokens: &'a Tokens,
    pub(super) access: &'a Access,
    /// Where the registry is reached.
    pub(super) origin: &'a str,
    /// What was asked about, and what messages name.
    pub(super) reference: &'a Reference,
    /// What requests had for `Authorization`, to be taken out of what comes back.
    pub(super) shown: Mutex<Vec<Arc<SecretString>>>,
}

/// What is shown with a request.
enum Shown {
    Nothing,
    Login(Arc<SecretString>),
    Token { token: Token, is_new: bool },
}

impl Shown {
    fn authorization(&self) -> Option<&Arc<SecretString>> {
        match self {
            Self::Nothing => None,
            Self::Login(basic) => Some(basic),
            Self::Token { token, .. } => Some(&token.authorization),
        }
    }
}

impl Session<'_> {
    /// Asks for a manifest by tag or digest: its headers alone, or all of it.
    pub(super) async fn manifest(&self, wanted: &str, head: bool) -> Result<Answer, Missed> {
        let path = format!("/v2/{}/manifests/{wanted}", self.reference.repository());
        let (answer, showed_login) = self.ask(Asked::Manifest, &path, head).await?;
        // A registry says why in a body, and some know no HEAD: the caller asks again, unless that
        // would be one more failed login, or one more request to a registry in trouble.
        let ask_again = head && !matches!(answer.status, 401 | 429 | 500..);
        if ask_again || answer.status == 200 {
            return Ok(answer);
        }
        Err(self.refused(Asked::Manifest, showed_login, &answer))
    }

    fn shown(&self) -> MutexGuard<'_, Vec<Arc<SecretString>>> {
        // Every change is one insertion; a panic leaves nothing half done.
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a request, and notes what it shows.
    async fn exchange(
        &self,
        call: Call<'_>,
        authorization: Option<&Arc<SecretString>>,
    ) -> Result<Answer, Missed> {
        self.shown().extend(authorization.cloned());
        let mut answer = self.wire.send(call).await?;
        // The one header that reaches messages as it came.
        answer.request_id = answer.request_id.filter(|id| {
            let mut text = id.clone();
            self.redact(&mut text);
            text == *id
        });
        Ok(answer)
    }

    fn redact(&self, text: &mut String) {
        self.access.redact(text);
        for authorization in self.shown().iter() {
            redact_shown(authorization, text);
        }
    }

    /// The failure that an answer is.
    fn refused(&self, asked: Asked, showed_login: bool, answer: &Answer) -> Missed {
        let image = self.reference.to_string();
        let shown = self.shown();
        let question = Question {
            host: self.reference.host(),
            image: &image,
            access: self.access,
            shown: &shown,
            asked,
            showed_login,
        };
        let failure = Failure {
            // Others mean something else by it, and would be left alone for as long.
            retry_after: answer
                .retry_after
                .filter(|_| matches!(answer.status, 429 | 503)),
            request_id: answer.request_id.clone(),
            ..refusal::failure(&question, answer.status, &answer.body)
        };
        // A config that a manifest names and nobody has is the image's fault.
        let of_image = match failure.kind {
            FailureKind::NotFound | FailureKind::PermissionDenied => true,
            _ => answer.status == 404 && asked == Asked::Config,
        };
        if of_image {
            Missed::Answer(failure)
        } else {
            Missed::Trouble(failure)
        }
    }

    /// Reads a config by its digest, from where the registry says that it is stored.
    pub(super) async fn config(&self, digest: &Digest) -> Result<Answer, Missed> {
        let path = format!("/v2/{}/blobs/{digest}", self.reference.repository());
        let (mut answer, showed_login) = self.ask(Asked::Config, &path, false).await?;
        let mut at = self.url(&path)?;
        for _ in 0..MOST_REDIRECTS {
            if !(300..400).contains(&answer.status) {
                break;
            }
            let location = answer.location.as_deref().unwrap_or_default();
            let next = at
                .join(location)
                .ok()
                .filter(|url| self.wire.hosts.is_sendable(url));
            let next = next.ok_or_else(|| {
                let host = self.reference.host();
                let message = format!(
                    "registry {host} keeps the config of {} where it is not read from: neither https:// nor a whole address",
                    self.reference
                );
                Failure::new(FailureKind::ProviderError, message)
            })?;
            let shown = next.host_str().unwrap_or_default().to_owned();
            at = next.clone();
            let call = Call {
                asked: Asked::Config,
                head: false,
                url: next,
                accept: None,
                authorization: None,
                largest: LARGEST_CONFIG,
                shown: &shown,
            };
            answer = self.exchange(call, None).await?;
        }
        if answer.status == 200 {
            return Ok(answer);
        }
        Err(self.refused(Asked::Config, showed_login, &answer))
    }

    /// Asks with what the registry wanted to see last, and once more with what it wants now. Says
    /// whether the login itself was shown.
    async fn ask(&self, asked: Asked, path: &str, head: bool) -> Result<(Answer, bool), Missed> {
        let known = self.tokens.challenge(self.access.key(), self.origin);
        let first = match &known {
            Some(challenge) => self.show(challenge, None).await.inspect_err(|_| {
                // The registry may use another service by now.
                self.tokens.forget(self.access.key(), self.origin);
            })?,
            None => Shown::Nothing,
        };
        let answer = self.send(asked, path, head, &first).await?;
        let shown_login = matches!(first, Shown::Login(_));
        if answer.status != 401 {
            return Ok((answer, shown_login));
        }
        let Some(challenge) = Challenge::choose(answer.challenges.iter().map(String::as_str))
        else {
            return Ok((answer, shown_login));
        };
        let same = known.as_ref() == Some(&challenge);
        let refused = match &first {
            // It was asked just so, with what is as new as it can be.
            Shown::Nothing | Shown::Login(_) | Shown::Token { is_new: true, .. } if same => {
                return Ok((answer, shown_login));
            }
            Shown::Token { token, .. } => Some(token),
            _ => None,
        };
        let second = self.show(&challenge, refused).await?;
        self.tokens
            .remember(self.access.key(), self.origin, challenge);
        if matches!(second, Shown::Nothing) {
            return Ok((answer, shown_login));
        }
        let shown_login = matches!(second, Shown::Login(_));
        Ok((self.send(asked, path, head, &second).await?, shown_login))
    }

    async fn send(
        &self,
        asked: Asked,
        path: &str,
        head: bool,
        shown: &Shown,
    ) -> Result<Answer, Missed> {
        let authorization = shown.authorization();
        let call = Call {
            asked,
            head,
            url: self.url(path)?,
            accept: (asked == Asked::Manifest).then_some(ACCEPT),
            authorization: authorization.map(AsRef::as_ref),
            largest: match asked {
                Asked::Manifest => LARGEST_MANIFEST,
                Asked::Config => LARGEST_CONFIG,
                Asked::Token => LARGEST_TOKEN,
            },
            shown: self.reference.host(),
        };
        self.exchange(call, authorization).await
    }

    /// What to show for a challenge; nothing if there is no login to show.
    async fn show(&self, challenge: &Challenge, refused: Option<&Token>) -> Result<Shown, Missed> {
        let Challenge::Bearer { realm, service } = challenge else {
            let basic = self.access.basic().map(Arc::new);
            return Ok(basic.map_or(Shown::Nothing, Shown::Login));
        };
        let url = self.realm(realm)?;
        let key = TokenKey {
            access: self.access.key(),
            origin: self.origin.to_owned(),
            realm: realm.clone(),
            service: service.clone(),
            repository: self.reference.repository().to_owned(),
        };
        let now = (self.wire.clock)();
        let fetch = self.fetch(url, service.as_deref());
        let (token, is_new) = self.tokens.get(key, refused, now, fetch).await?;
        Ok(Shown::Token { token, is_new })
    }

    /// The token service that a registry names, if it may.
    fn realm(&self, realm: &str) -> Result<Url, Missed> {
        let host = self.reference.host();
        let url = realm.parse::<Url>().ok();
        let url = url.filter(|url| self.wire.hosts.may_name(self.origin, url));
        url.ok_or_else(|| {
            let named = realm.parse::<Url>().ok();
            let named = named.as_ref().and_then(Url::host_str).unwrap_or("something that is no URL");
            let mut named = named.to_owned();
            self.redact(&mut named);
            let message = format!(
                "registry {host} sends those who ask to {}, which is no token service of its own: nothing was sent there; if it is right, the operator allows it with --allow-registry",
                crate::cloud::refusal::cut(&named, 128)
            );
            Missed::Answer(Failure::new(FailureKind::PermissionDenied, message))
        })
    }

    async fn fetch(&self, mut url: Url, service: Option<&str>) -> Result<Token, Missed> {
        let scope = format!("repository:{}:pull", self.reference.repository());
        url.set_fragment(None);
        {
            let mut query = url.query_pairs_mut();
            if let Some(service) = service {
                query.append_pair("service", service);
            }
            query.append_pair("scope", &scope);
        }
        let shown = url.host_str().unwrap_or_default().to_owned();
        let from = (self.wire.clock)();
        let basic = self.access.basic().map(Arc::new);
        let call = Call {
            asked: Asked::Token,
            head: false,
            url,
            accept: None,
            authorization: basic.as_deref(),
            largest: LARGEST_TOKEN,
            shown: &shown,
        };
        let answer = match self.exchange(call, basic.as_ref()).await {
            // Its size says nothing of the image.
            Err(Missed::Answer(failure)) => return Err(Missed::Trouble(failure)),
            exchanged => exchanged?,
        };
        if answer.status == 200 {
            return Ok(tokens::read(&answer.body, from, &shown)?);
        }
        Err(self.refused(Asked::Token, basic.is_some(), &answer))
    }

    fn url(&self, path: &str) -> Result<Url, Failure> {
        let url = format!("{}{path}", self.origin).parse::<Url>().ok();
        // The grammar of references leaves nothing that a parser would change.
        url.filter(|url| url.path() == path && url.query().is_none() && url.fragment().is_none())
            .ok_or_else(|| {
                let message = format!("{} has no address in its registry", self.reference);
                Failure::new(FailureKind::InvalidSpec, message)
            })
    }
}
