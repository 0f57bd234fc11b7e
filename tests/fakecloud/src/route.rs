//! Owns which cloud, service and operation a request is for. Must not be known here: what any of them
//! answers. What breaks first: a path that two clouds share.

use crate::answer::{Answer, Call};
use crate::calls::{Operation, Service};
use crate::images::ImageApi;
use crate::options::Options;
use crate::state::State;
use crate::verify::{WireRequest, decode};
use crate::{
    acr, alibaba_instance, alibaba_sts, gateway, huawei_instance, iam, modelarts, pai, swr,
};

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    ModelArts {
        project: String,
        target: modelarts::Target,
    },
    Iam(iam::Target),
    HuaweiInstance(huawei_instance::Target),
    Pai(pai::Target),
    AlibabaSts(Operation),
    AlibabaInstance(alibaba_instance::Target),
    Swr,
    Acr(Operation),
    /// Nowhere at PAI.
    NoPai,
    /// Nowhere at Alibaba Cloud's STS.
    NoAction,
    /// Nowhere at Huawei Cloud.
    NoHuawei,
}

impl Route {
    pub(crate) fn of(wire: &WireRequest<'_>, options: &Options) -> Self {
        // The path is split before it is decoded: an encoded slash is part of an id here, whatever the
        // gateway's canonical request makes of it.
        let path = wire.path.strip_suffix('/').unwrap_or(wire.path);
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        if wire.method == "POST" && wire.path == options.pod_identity_path {
            return Route::HuaweiInstance(huawei_instance::Target::PodIdentity);
        }
        if wire.method == "GET" && wire.path == options.credentials_uri_path {
            return Route::AlibabaInstance(alibaba_instance::Target::Uri);
        }
        Route::of_modelarts(wire.method, &segments)
            .or_else(|| Route::of_identity(wire.method, &segments))
            .unwrap_or_else(|| match (wire.method, segments.as_slice()) {
                ("GET", ["api", "v1", "images"]) => Route::Pai(pai::Target::Images),
                ("GET", ["api", "v1", "images", id]) => Route::Pai(pai::Target::Image(decoded(id))),
                ("POST", ["v2", "manage", "utils", "secret"]) => Route::Swr,
                (_, ["api", ..]) => Route::NoPai,
                ("POST", []) if acr::operation(wire).is_some() => {
                    acr::operation(wire).map_or(Route::NoPai, Route::Acr)
                }
                _ if wire.header("x-acs-action").is_some() => Route::NoPai,
                _ => match alibaba_sts::action(wire) {
                    Some(action) => {
                        alibaba_sts::operation(&action).map_or(Route::NoAction, Route::AlibabaSts)
                    }
                    None => Route::NoHuawei,
                },
            })
    }

    fn of_modelarts(method: &str, segments: &[&str]) -> Option<Self> {
        let ("GET", ["v1", project, rest @ ..]) = (method, segments) else {
            return None;
        };
        let notebook = |id: &str| modelarts::Target::Image(ImageApi::Notebook, decoded(id));
        let server = |id: &str| modelarts::Target::Image(ImageApi::LiteServer, decoded(id));
        let target = match rest {
            ["images"] => modelarts::Target::Images,
            ["images", "group"] => modelarts::Target::Groups,
            ["images", id] => notebook(id),
            ["dev-servers", "images"] => modelarts::Target::ServerImages,
            ["dev-servers", "images", id] => server(id),
            _ => return None,
        };
        Some(Route::ModelArts {
            project: decoded(project),
            target,
        })
    }

    fn of_identity(method: &str, segments: &[&str]) -> Option<Self> {
        let iam = match (method, segments) {
            ("POST", ["v3", "auth", "tokens"]) => iam::Target::Token,
            ("GET", ["v3", "projects"]) => iam::Target::Projects,
            ("GET", ["v3", "auth", "domains"]) => iam::Target::Domains,
            ("POST", ["v3.0", "OS-CREDENTIAL", "securitytokens"]) => iam::Target::SecurityTokens,
            ("POST", ["v3.0", "OS-AUTH", "id-token", "tokens"]) => iam::Target::IdToken,
            (
                "POST",
                [
                    "v3",
                    "OS-FEDERATION",
                    "identity_providers",
                    provider,
                    "protocols",
                    protocol,
                    "auth",
                ],
            ) => iam::Target::Federation {
                provider: decoded(provider),
                protocol: decoded(protocol),
            },
            ("GET", ["v5", "caller-identity"]) => iam::Target::CallerIdentity,
            ("POST", ["v5", "agencies", "assume-with-oidc"]) => iam::Target::AssumeWithOidc,
            _ => return Route::of_instance(method, segments),
        };
        Some(Route::Iam(iam))
    }

    fn of_instance(method: &str, segments: &[&str]) -> Option<Self> {
        use alibaba_instance::Target as Ecs;
        use huawei_instance::Target as Metadata;
        match (method, segments) {
            ("PUT", ["meta-data", "latest", "api", "token"]) => {
                Some(Route::HuaweiInstance(Metadata::Token))
            }
            ("GET", ["openstack", "latest", "securitykey"]) => {
                Some(Route::HuaweiInstance(Metadata::SecurityKey))
            }
            ("PUT", ["latest", "api", "token"]) => Some(Route::AlibabaInstance(Ecs::Token)),
            ("GET", ["latest", "meta-data", "ram", "security-credentials"]) => {
                Some(Route::AlibabaInstance(Ecs::Role))
            }
            ("GET", ["latest", "meta-data", "ram", "security-credentials", role]) => {
                Some(Route::AlibabaInstance(Ecs::Keys(decoded(role))))
            }
            _ => None,
        }
    }

    /// What the same request gets at a host that does not have the service.
    pub(crate) fn nowhere(&self) -> Self {
        match self {
            Route::Pai(_) | Route::Acr(_) | Route::NoPai => Route::NoPai,
            Route::AlibabaSts(_) | Route::NoAction => Route::NoAction,
            _ => Route::NoHuawei,
        }
    }

    pub(crate) fn operation(&self) -> Option<Operation> {
        match self {
            Route::ModelArts { target, .. } => Some(target.operation()),
            Route::Iam(target) => Some(target.operation()),
            Route::HuaweiInstance(target) => Some(target.operation()),
            Route::Pai(target) => Some(target.operation()),
            Route::AlibabaSts(operation) | Route::Acr(operation) => Some(*operation),
            Route::AlibabaInstance(target) => Some(target.operation()),
            Route::Swr => Some(Operation::SwrCreateSecret),
            Route::NoPai | Route::NoAction | Route::NoHuawei => None,
        }
    }

    /// The answer with the headers that the route's gateway adds to all of its answers.
    pub(crate) fn dress(&self, answer: Answer, call: &Call<'_>) -> Answer {
        match self.operation().map(Operation::service) {
            Some(Service::HuaweiMetadata | Service::EcsMetadata | Service::CredentialsUri) => {
                answer
            }
            Some(Service::Iam) => answer
                .with("server", "api-gateway")
                .with(
                    "x-iam-trace-id",
                    format!("token_fake_{}", call.huawei_request_id()),
                )
                .with("x-request-id", call.huawei_request_id()),
            Some(Service::Pai | Service::AlibabaSts | Service::Acr) => {
                answer.with("x-acs-request-id", call.alibaba_request_id())
            }
            None if matches!(self, Route::NoPai | Route::NoAction) => {
                answer.with("x-acs-request-id", call.alibaba_request_id())
            }
            _ => answer
                .with("server", "api-gateway")
                .with("x-request-id", call.huawei_request_id()),
        }
    }

    pub(crate) fn answer(&self, state: &mut State, call: &mut Call<'_>) -> Answer {
        match self {
            Route::ModelArts { project, target } => modelarts::handle(state, call, project, target),
            Route::Iam(target) => iam::handle(state, call, target),
            Route::HuaweiInstance(target) => huawei_instance::handle(state, call, *target),
            Route::Pai(target) => pai::handle(state, call, target),
            Route::AlibabaSts(_) => alibaba_sts::handle(state, call),
            Route::AlibabaInstance(target) => alibaba_instance::handle(state, call, target),
            Route::Swr => swr::create_secret(state, call),
            Route::Acr(operation) => acr::handle(state, call, *operation),
            Route::NoPai => pai::no_such_api(state, call),
            Route::NoAction => alibaba_sts::no_such_action(state, call),
            Route::NoHuawei => gateway::no_such_api(call),
        }
    }
}

fn decoded(segment: &str) -> String {
    String::from_utf8_lossy(&decode(segment)).into_owned()
}
