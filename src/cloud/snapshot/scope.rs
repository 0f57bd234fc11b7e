//! Which list can answer a question.
//!
//! Owns what tells two lists of one platform apart. Must not know how a list is read. The invariant
//! that would break first: two questions of one scope are answered by the very same list.

use crate::facts::Api;
use crate::plan::target::{Account, Query, Target};

/// The workspace of lists that know none.
const ANY: &str = "0";

/// All images of one API that one workspace of an account sees. Notebook images are two lists, own
/// images and presets, and one scope: a name can mean either.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    /// With the list's workspace in place of the account's own.
    account: Account,
    api: Api,
}

impl Scope {
    /// The scope that can answer a target; `None` if the account is of another platform. An id is
    /// looked for in the account's workspace: elsewhere only a get finds it.
    pub fn of(target: &Target) -> Option<Self> {
        let mut account = target.account.clone();
        match (&mut account, &target.query) {
            (Account::ModelArts { .. }, Query::NotebookId(_))
            | (Account::Pai { .. }, Query::PaiId(_)) => {}
            (
                Account::ModelArts { workspace_id, .. },
                Query::NotebookName {
                    workspace_id: asked,
                    ..
                },
            ) => workspace_id.clone_from(asked),
            (
                Account::ModelArts { workspace_id, .. },
                Query::LiteServerId(_) | Query::LiteServerName { .. },
            ) => ANY.clone_into(workspace_id),
            (
                Account::Pai { workspace_id, .. },
                Query::PaiName {
                    workspace_id: asked,
                    ..
                },
            ) => workspace_id.clone_from(asked),
            _ => return None,
        }
        let api = target.query.api();
        Some(Self { account, api })
    }

    /// Where it is asked.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Whether it is asked at this account, in whichever workspace.
    pub fn is_of(&self, account: &Account) -> bool {
        let mut own = self.account.clone();
        match (&mut own, account) {
            (
                Account::ModelArts { workspace_id, .. },
                Account::ModelArts {
                    workspace_id: any, ..
                },
            ) => workspace_id.clone_from(any),
            (
                Account::Pai { workspace_id, .. },
                Account::Pai {
                    workspace_id: any, ..
                },
            ) => workspace_id.clone_from(any),
            _ => {}
        }
        own == *account
    }

    /// The API that lists it.
    pub fn api(&self) -> Api {
        self.api
    }

    /// The workspace listed; `None` for all of PAI.
    pub fn workspace_id(&self) -> Option<&str> {
        match &self.account {
            Account::ModelArts { workspace_id, .. } => Some(workspace_id),
            Account::Pai { workspace_id, .. } => workspace_id.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ProviderKind;
    use crate::plan::ProviderId;

    fn scope(account: &Account, query: Query) -> Option<Scope> {
        Scope::of(&Target {
            provider: ProviderId {
                kind: ProviderKind::Cluster,
                namespace: None,
                name: "p".into(),
            },
            account: account.clone(),
            query,
        })
    }

    fn modelarts(workspace: &str) -> Account {
        Account::ModelArts {
            endpoint: "https://e".into(),
            region: "r".into(),
            project_id: "p".into(),
            workspace_id: workspace.into(),
        }
    }

    fn pai(workspace: Option<&str>) -> Account {
        Account::Pai {
            endpoint: "https://e".into(),
            region: "r".into(),
            workspace_id: workspace.map(Into::into),
        }
    }

    fn notebook(workspace: &str, type_: Option<&str>) -> Query {
        Query::NotebookName {
            name: "n".into(),
            tag: None,
            organization: None,
            type_: type_.map(Into::into),
            workspace_id: workspace.into(),
        }
    }

    fn lite(server_type: Option<&str>) -> Query {
        Query::LiteServerName {
            name: "n".into(),
            server_type: server_type.map(Into::into),
        }
    }

    fn pai_name(workspace: Option<&str>) -> Query {
        Query::PaiName {
            name: "n".into(),
            workspace_id: workspace.map(Into::into),
        }
    }

    #[test]
    fn questions_share_a_scope_exactly_if_one_list_answers_both() {
        let id = || Query::NotebookId("i".into());
        let same = [
            (modelarts("0"), id(), modelarts("0"), notebook("0", None)),
            (
                modelarts("0"),
                id(),
                modelarts("1"),
                notebook("0", Some("BUILD_IN")),
            ),
            (
                modelarts("0"),
                lite(None),
                modelarts("1"),
                lite(Some("BMS")),
            ),
            (
                modelarts("0"),
                lite(None),
                modelarts("1"),
                Query::LiteServerId("i".into()),
            ),
            (
                pai(None),
                Query::PaiId("i".into()),
                pai(Some("7")),
                pai_name(None),
            ),
            (
                pai(Some("7")),
                Query::PaiId("i".into()),
                pai(None),
                pai_name(Some("7")),
            ),
        ];
        for (one, first, other, second) in same {
            let (one, other) = (scope(&one, first), scope(&other, second));
            assert!(one.is_some());
            assert_eq!(one, other);
        }
        let other = [
            (modelarts("0"), id(), modelarts("1"), id()),
            (modelarts("0"), id(), modelarts("0"), lite(None)),
            (
                modelarts("0"),
                notebook("0", None),
                modelarts("0"),
                notebook("1", None),
            ),
            (pai(None), pai_name(None), pai(None), pai_name(Some("7"))),
        ];
        for (one, first, other, second) in other {
            assert_ne!(scope(&one, first), scope(&other, second));
        }
        assert_eq!(scope(&pai(None), id()), None);
        assert_eq!(scope(&modelarts("0"), pai_name(None)), None);
    }
}
