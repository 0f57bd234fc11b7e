//! Owns the accounts as a test changes them: keys, tokens, projects, whom the identity services trust,
//! and rotation. Must not be known here: how any of these is checked. What breaks first: a rotation
//! that forgets something that belongs to a key.

use crate::FakeCloud;
use crate::id_token::IdToken;
use crate::server::lock;
use crate::state::{AlibabaAccount, HuaweiAccount, State};
use crate::temporary::fresh;
use crate::trust::{Agency, IdentityProvider, Role};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A Huawei Cloud access key with all that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HuaweiKey {
    /// The access key.
    pub ak: String,
    /// What belongs to it.
    #[serde(flatten)]
    pub account: HuaweiAccount,
}

/// An Alibaba Cloud access key with all that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlibabaKey {
    /// The access key.
    pub ak: String,
    /// What belongs to it.
    #[serde(flatten)]
    pub account: AlibabaAccount,
}

impl State {
    /// Adds or replaces a Huawei Cloud key, a permanent one of the default user.
    pub(crate) fn put_huawei(&mut self, access_key: &str, account: HuaweiAccount) {
        self.remove_huawei(access_key);
        self.huawei.insert(access_key.to_owned(), account);
    }

    /// Removes a Huawei Cloud key; false if there was none.
    pub(crate) fn remove_huawei(&mut self, access_key: &str) -> bool {
        self.key_expiries.remove(access_key);
        self.key_identities.remove(access_key);
        self.huawei.remove(access_key).is_some()
    }

    /// Adds or replaces an Alibaba Cloud key, a permanent one.
    pub(crate) fn put_alibaba(&mut self, access_key: &str, account: AlibabaAccount) {
        self.remove_alibaba(access_key);
        self.alibaba.insert(access_key.to_owned(), account);
    }

    /// Removes an Alibaba Cloud key; false if there was none.
    pub(crate) fn remove_alibaba(&mut self, access_key: &str) -> bool {
        self.key_expiries.remove(access_key);
        self.alibaba.remove(access_key).is_some()
    }

    /// Replaces a Huawei Cloud key by a new one of the same rights; the old one is gone.
    pub(crate) fn rotate_huawei(&mut self, access_key: &str) -> Option<HuaweiKey> {
        let mut account = self.huawei.remove(access_key)?;
        account.sk = fresh(40);
        account.security_token = account
            .security_token
            .map(|_| format!("fake{}", fresh(400)));
        let ak = format!("FAKE{}", fresh(16).to_uppercase());
        if let Some(expiry) = self.key_expiries.remove(access_key) {
            self.key_expiries.insert(ak.clone(), expiry);
        }
        if let Some(identity) = self.key_identities.remove(access_key) {
            self.key_identities.insert(ak.clone(), identity);
        }
        self.huawei.insert(ak.clone(), account.clone());
        Some(HuaweiKey { ak, account })
    }

    /// Replaces an Alibaba Cloud key by a new one of the same rights; the old one is gone.
    pub(crate) fn rotate_alibaba(&mut self, access_key: &str) -> Option<AlibabaKey> {
        let mut account = self.alibaba.remove(access_key)?;
        account.secret = fresh(30);
        account.security_token = account
            .security_token
            .map(|_| format!("fake{}", fresh(400)));
        let ak = format!("LTAIFAKE{}", fresh(16));
        if let Some(expiry) = self.key_expiries.remove(access_key) {
            self.key_expiries.insert(ak.clone(), expiry);
        }
        self.alibaba.insert(ak.clone(), account.clone());
        Some(AlibabaKey { ak, account })
    }

    /// Ends a key of either cloud now; false if there is none.
    pub(crate) fn expire_key(&mut self, access_key: &str) -> bool {
        let known = self.huawei.contains_key(access_key) || self.alibaba.contains_key(access_key);
        if known {
            let now = self.now();
            self.key_expiries.insert(access_key.to_owned(), now);
        }
        known
    }

    /// Ends a token of IAM or of a metadata service now; false if there is none.
    pub(crate) fn expire_token(&mut self, text: &str) -> bool {
        let now = self.now();
        if let Some(token) = self.tokens.get_mut(text) {
            token.expires_at = Some(now);
            return true;
        }
        match self.metadata_tokens.get_mut(text) {
            Some(expiry) => {
                *expiry = now;
                true
            }
            None => false,
        }
    }
}

impl FakeCloud {
    /// Adds or replaces a Huawei Cloud access key.
    pub fn add_huawei_account(&self, access_key: &str, account: HuaweiAccount) {
        lock(&self.state).put_huawei(access_key, account);
    }

    /// Removes a Huawei Cloud access key; false if there was none.
    pub fn remove_huawei_account(&self, access_key: &str) -> bool {
        lock(&self.state).remove_huawei(access_key)
    }

    /// The Huawei Cloud access keys, temporary ones that were given out too.
    pub fn huawei_accounts(&self) -> BTreeMap<String, HuaweiAccount> {
        lock(&self.state).huawei.clone().into_iter().collect()
    }

    /// Replaces a Huawei Cloud access key by a new one of the same rights; the old one is gone.
    pub fn rotate_huawei(&self, access_key: &str) -> Option<HuaweiKey> {
        lock(&self.state).rotate_huawei(access_key)
    }

    /// Adds or replaces an Alibaba Cloud access key.
    pub fn add_alibaba_account(&self, access_key: &str, account: AlibabaAccount) {
        lock(&self.state).put_alibaba(access_key, account);
    }

    /// Removes an Alibaba Cloud access key; false if there was none.
    pub fn remove_alibaba_account(&self, access_key: &str) -> bool {
        lock(&self.state).remove_alibaba(access_key)
    }

    /// The Alibaba Cloud access keys, temporary ones that were given out too.
    pub fn alibaba_accounts(&self) -> BTreeMap<String, AlibabaAccount> {
        lock(&self.state).alibaba.clone().into_iter().collect()
    }

    /// Replaces an Alibaba Cloud access key by a new one of the same rights; the old one is gone.
    pub fn rotate_alibaba(&self, access_key: &str) -> Option<AlibabaKey> {
        lock(&self.state).rotate_alibaba(access_key)
    }

    /// Ends an access key of either cloud now, as a temporary one ends; false if there is none.
    pub fn expire_key(&self, access_key: &str) -> bool {
        lock(&self.state).expire_key(access_key)
    }

    /// When an access key ends; none for a permanent one.
    pub fn key_expiry(&self, access_key: &str) -> Option<Timestamp> {
        lock(&self.state).key_expiries.get(access_key).copied()
    }

    /// Adds a Huawei Cloud token that does not expire; without a project it is a global one.
    pub fn add_token(&self, token: &str, project_id: Option<&str>) {
        lock(&self.state).add_token(token, project_id.map(str::to_owned));
    }

    /// Removes a Huawei Cloud token, one that IAM gave out too; false if there was none.
    pub fn revoke_token(&self, token: &str) -> bool {
        lock(&self.state).tokens.remove(token).is_some()
    }

    /// Ends a token of IAM or of a metadata service now; false if there is none.
    pub fn expire_token(&self, token: &str) -> bool {
        lock(&self.state).expire_token(token)
    }

    /// Adds or renames a Huawei Cloud project.
    pub fn add_project(&self, id: &str, name: &str) {
        lock(&self.state)
            .projects
            .insert(id.to_owned(), name.to_owned());
    }

    /// Removes a Huawei Cloud project; false if there was none.
    pub fn remove_project(&self, id: &str) -> bool {
        lock(&self.state).projects.remove(id).is_some()
    }

    /// Adds a Huawei Cloud user of the default domain, or changes the password.
    pub fn add_user(&self, name: &str, password: &str) {
        lock(&self.state)
            .trust
            .users
            .insert(name.to_owned(), password.to_owned());
    }

    /// Adds or replaces a Huawei Cloud agency.
    pub fn add_agency(&self, name: &str, agency: Agency) {
        lock(&self.state)
            .trust
            .agencies
            .insert(name.to_owned(), agency);
    }

    /// Adds or replaces an identity provider of Huawei Cloud.
    pub fn add_huawei_provider(&self, id: &str, provider: IdentityProvider) {
        lock(&self.state)
            .trust
            .huawei_providers
            .insert(id.to_owned(), provider);
    }

    /// Adds or replaces an identity provider of Alibaba Cloud.
    pub fn add_alibaba_provider(&self, arn: &str, provider: IdentityProvider) {
        lock(&self.state)
            .trust
            .alibaba_providers
            .insert(arn.to_owned(), provider);
    }

    /// Adds or replaces an Alibaba Cloud RAM role.
    pub fn add_role(&self, arn: &str, role: Role) {
        lock(&self.state).trust.roles.insert(arn.to_owned(), role);
    }

    /// An identity token for an audience, of the default issuer and subject, made now.
    pub fn id_token(&self, audience: &str) -> IdToken {
        IdToken::new(audience, lock(&self.state).now())
    }
}
