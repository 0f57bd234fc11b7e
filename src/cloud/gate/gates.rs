//! The gates of all accounts, and who uses which.
//!
//! Owns that providers with equal proof share one gate, and whose limits it keeps. Must not know
//! what passes through a gate. The invariant that would break first: a gate keeps the limits of each
//! provider that uses it.

use super::{Gate, Limits};
use crate::cloud::identity::Proof;
use crate::plan::{Account, ProviderId};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The gates of all proofs.
pub struct Gates {
    /// The limits of a gate that no provider has spoken for.
    unclaimed: Limits,
    known: Mutex<Known>,
}

impl Default for Gates {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

type Key = (Proof, Account);

#[derive(Default)]
struct Known {
    gates: HashMap<Key, (Arc<Gate>, u32)>,
    users: HashMap<ProviderId, (Key, Limits)>,
    /// How often was tidied; next to each gate, when it was last asked for.
    round: u32,
}

impl Gates {
    /// None yet. `unclaimed` holds for a gate until a provider says what its limits are.
    pub fn new(unclaimed: Limits) -> Self {
        Self {
            unclaimed,
            known: Mutex::default(),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The gate of a proof at an account. What was learned of one account says nothing of another:
    /// a key that a mistyped endpoint refused is tried again when the endpoint is mended.
    pub fn of(&self, proof: Proof, account: &Account) -> Arc<Gate> {
        let key = key(proof, account);
        let mut known = self.known();
        let round = known.round;
        if let Some((gate, last)) = known.gates.get_mut(&key) {
            *last = round;
            return gate.clone();
        }
        let limits = known.limits(&key).unwrap_or(self.unclaimed);
        let gate = Arc::new(Gate::new(&limits, seed(&key)));
        known.gates.insert(key, (gate.clone(), round));
        gate
    }

    /// Says that a provider uses this gate and no other, within these limits. Each time it is
    /// considered; what is known already costs nothing.
    pub fn limit(&self, proof: Proof, account: &Account, provider: ProviderId, limits: Limits) {
        let key = key(proof, account);
        let mut known = self.known();
        let before = known.users.insert(provider, (key.clone(), limits));
        if before.as_ref() == Some(&(key.clone(), limits)) {
            return;
        }
        known.apply(&key, self.unclaimed);
        if let Some((other, _)) = before.filter(|(other, _)| *other != key) {
            known.apply(&other, self.unclaimed);
        }
    }

    /// Each provider that uses a gate, with it.
    pub fn in_use(&self) -> Vec<(ProviderId, Arc<Gate>)> {
        let known = self.known();
        let gate = |key| known.gates.get(key).map(|(gate, _)| gate.clone());
        let users = known.users.iter();
        users
            .filter_map(|(provider, (key, _))| Some((provider.clone(), gate(key)?)))
            .collect()
    }

    /// Says that a provider uses no gate.
    pub fn leave(&self, provider: &ProviderId) {
        self.retain(|other| other != provider);
    }

    /// Forgets the limits of providers that are gone.
    pub fn retain(&self, exists: impl Fn(&ProviderId) -> bool) {
        let mut known = self.known();
        let gone = known.users.extract_if(|provider, _| !exists(provider));
        let gone: Vec<_> = gone.map(|(_, (key, _))| key).collect();
        for key in gone {
            known.apply(&key, self.unclaimed);
        }
    }

    /// Forgets gates that nobody asked for during the last `rounds` calls of this.
    pub fn tidy(&self, rounds: u32) {
        let mut known = self.known();
        known.round = known.round.wrapping_add(1);
        let round = known.round;
        known
            .gates
            .retain(|_, (_, last)| round.wrapping_sub(*last) <= rounds);
    }
}

impl Known {
    /// The strictest limits of those who use a gate; `None` if nobody does.
    fn limits(&self, key: &Key) -> Option<Limits> {
        let users = self.users.values().filter(|(used, _)| used == key);
        users
            .map(|(_, limits)| *limits)
            .reduce(|a, b| a.strictest(&b))
    }

    fn apply(&self, key: &Key, unclaimed: Limits) {
        if let Some((gate, _)) = self.gates.get(key) {
            gate.limit(&self.limits(key).unwrap_or(unclaimed));
        }
    }
}

/// What a platform counts as one: the workspace decides what is looked for, not who asks.
fn key(proof: Proof, account: &Account) -> Key {
    let mut account = account.clone();
    match &mut account {
        Account::ModelArts { workspace_id, .. } => workspace_id.clear(),
        Account::Pai { workspace_id, .. } => *workspace_id = None,
    }
    (proof, account)
}

/// The same for the same key in each process.
fn seed(key: &Key) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ProviderKind;
    use crate::cloud::Credential;
    use crate::cloud::gate::REFUSED_FOR;
    use crate::cloud::identity::{Identity, Region, Source};
    use crate::facts::{Failure, FailureKind};
    use jiff::Timestamp;

    fn proof(secret: &str) -> Proof {
        let source = Source::Static(Credential::HuaweiToken(secret.into()));
        let region = Region::new("cn-shanghai").unwrap();
        Identity::new(source, region).unwrap().proof()
    }

    fn account(endpoint: &str) -> Account {
        Account::Pai {
            endpoint: endpoint.into(),
            region: "cn-shanghai".into(),
            workspace_id: None,
        }
    }

    fn provider(name: &str) -> ProviderId {
        ProviderId {
            kind: ProviderKind::Cluster,
            namespace: None,
            name: name.into(),
        }
    }

    fn limits(burst: u32, max_concurrent: u32) -> Limits {
        Limits {
            burst,
            max_concurrent,
            ..Limits::default()
        }
    }

    /// How many requests go at once, and how many calls: what a gate keeps to.
    fn kept(gate: &Gate) -> (usize, usize) {
        let now = Timestamp::UNIX_EPOCH;
        let at_once = |ahead: &usize| gate.state().bucket.wait_behind(*ahead, now).is_zero();
        ((0..1000).take_while(at_once).count(), gate.places.wanted())
    }

    #[tokio::test]
    async fn another_account_or_proof_is_another_gate_and_an_equal_one_is_the_same() {
        let gates = Gates::default();
        let now = || Timestamp::UNIX_EPOCH;
        let auth = Failure::new(FailureKind::AuthenticationFailed, "no");
        let gate = gates.of(proof("a"), &account("https://wrong"));
        let refused = gate.pass(&[0; 32], now, || async { Err::<(), _>(auth) });
        refused.await.unwrap().unwrap_err();
        let closed = |proof, account: &Account| {
            let now = now() + REFUSED_FOR / 2;
            gates
                .of(proof, account)
                .state()
                .refuses(&[0; 32], now)
                .is_some()
        };
        assert!(closed(proof("a"), &account("https://wrong")));
        assert!(!closed(proof("a"), &account("https://right")));
        assert!(!closed(proof("b"), &account("https://wrong")));
        // A workspace is none of the platform's accounts.
        let mut workspace = account("https://wrong");
        if let Account::Pai { workspace_id, .. } = &mut workspace {
            *workspace_id = Some("1".into());
        }
        assert!(closed(proof("a"), &workspace));
    }

    #[test]
    fn a_gate_that_nobody_asks_for_is_forgotten_after_some_rounds() {
        let gates = Gates::default();
        let asked = || gates.of(proof("a"), &account("https://a"));
        let gate = asked();
        for _ in 0..5 {
            gates.tidy(2);
            assert!(Arc::ptr_eq(&gate, &asked()), "asked for in each round");
        }
        (0..2).for_each(|_| gates.tidy(2));
        assert!(Arc::ptr_eq(&gate, &asked()));
        (0..3).for_each(|_| gates.tidy(2));
        assert!(!Arc::ptr_eq(&gate, &asked()));
    }

    #[test]
    fn a_gate_keeps_the_limits_of_each_provider_that_uses_it_as_long_as_it_does() {
        let gates = Gates::new(limits(3, 3));
        let shared = account("https://a");
        let gate = gates.of(proof("a"), &shared);
        assert_eq!(kept(&gate), (3, 3), "nobody has spoken for it");
        let limit = |name, proof, limits| gates.limit(proof, &shared, provider(name), limits);
        limit("one", proof("a"), limits(20, 1));
        assert_eq!(kept(&gate), (20, 1));
        limit("two", proof("a"), limits(2, 10));
        limit("two", proof("a"), limits(2, 10));
        assert_eq!(kept(&gate), (2, 1));
        // One is edited, one gets another key, one goes.
        limit("one", proof("a"), limits(20, 5));
        assert_eq!(kept(&gate), (2, 5));
        limit("two", proof("b"), limits(2, 10));
        assert_eq!(kept(&gate), (20, 5));
        assert_eq!(kept(&gates.of(proof("b"), &shared)), (2, 10));
        limit("two", proof("a"), limits(2, 10));
        gates.retain(|id| *id != provider("one"));
        assert_eq!(kept(&gate), (2, 10));
        gates.leave(&provider("two"));
        assert_eq!(kept(&gate), (3, 3));
        assert!(Arc::ptr_eq(&gate, &gates.of(proof("a"), &shared)));
        assert_eq!(kept(&gates.of(proof("b"), &shared)), (3, 3));
    }

    #[test]
    fn a_gate_that_was_forgotten_comes_back_with_its_limits() {
        let gates = Gates::default();
        let shared = account("https://a");
        gates.limit(proof("a"), &shared, provider("one"), limits(2, 1));
        assert_eq!(kept(&gates.of(proof("a"), &shared)), (2, 1));
        (0..2).for_each(|_| gates.tidy(0));
        assert_eq!(kept(&gates.of(proof("a"), &shared)), (2, 1));
    }
}
