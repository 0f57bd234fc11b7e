//! The operator's own network: what its owner says about reaching the platforms, and the way that
//! each request takes.
//!
//! Owns the HTTP clients. Must not know any platform or provider; nothing here comes from a tenant.
//! The invariant that would break first: a request that does not go through the operator's proxy
//! goes to an address that was judged.
//!
//! Behind a proxy the rule on hosts alone decides, since the proxy looks names up. An address that
//! stands in a URL instead of a name is judged either way.

use super::endpoint::AllowedEndpoints;
use super::guard::{self, Guard, Lookup, Refused, Rule, check_literal};
use super::proxy::Proxies;
use super::transport::cause;
use hyper_util::client::proxy::matcher::Matcher;
use std::time::Duration;
use url::{Host, Url};

/// Bound on an answer's headers, in bytes.
const LARGEST_HEADERS: u32 = 128 * 1024;
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What the operator's owner says about the network.
#[derive(Clone)]
pub struct Network {
    /// Certificates in PEM to trust next to the system's; empty for none.
    pub extra_roots: Vec<u8>,
    /// Origins next to the vendors' own; those it allows on this machine may be connected to there.
    pub allowed: AllowedEndpoints,
    /// The proxy.
    pub proxies: Proxies,
    /// How names are looked up.
    pub lookup: Lookup,
}

impl Default for Network {
    /// The vendors' own origins by the system's resolver, without a proxy.
    fn default() -> Self {
        Self {
            extra_roots: Vec::new(),
            allowed: AllowedEndpoints::default(),
            proxies: Proxies::default(),
            lookup: guard::system(),
        }
    }
}

/// The clients, by the way that a request takes.
pub(crate) struct Routes {
    direct: reqwest::Client,
    /// For origins that the operator allowed for tests.
    local: Option<reqwest::Client>,
    proxied: Option<(Matcher, reqwest::Client)>,
    allowed: AllowedEndpoints,
}

/// The way of one request.
pub(crate) struct Route<'a> {
    pub(crate) client: &'a reqwest::Client,
    pub(crate) is_proxied: bool,
}

impl Routes {
    /// # Errors
    /// One sentence: the certificates cannot be read, or the system has none.
    pub(crate) fn new(network: Network) -> Result<Self, String> {
        let Network {
            extra_roots,
            allowed,
            proxies,
            lookup,
        } = network;
        let roots = reqwest::Certificate::from_pem_bundle(&extra_roots);
        let roots = roots.map_err(|error| format!("the extra certificates: {}", cause(&error)))?;
        if roots.is_empty() && !extra_roots.is_empty() {
            return Err("the extra certificates hold none in PEM".into());
        }
        let build = |rule, proxy: Option<&Url>| {
            let lookup = lookup.clone();
            client(roots.clone(), Guard { lookup, rule }, proxy)
                .map_err(|error| format!("no TLS client: {}", cause(&error)))
        };
        let local = allowed
            .allows_loopback()
            .then(|| build(Rule::NetworkOrLoopback, None));
        let proxied = match (proxies.matcher(), proxies.proxy()) {
            (Some(matcher), Some(proxy)) => Some((matcher, build(Rule::Proxy, Some(proxy))?)),
            _ => None,
        };
        Ok(Self {
            direct: build(Rule::Network, None)?,
            local: local.transpose()?,
            proxied,
            allowed,
        })
    }

    /// The way to `origin`, whose URL is `url`.
    pub(crate) fn to(&self, origin: &str, url: &Url) -> Result<Route<'_>, Refused> {
        let local = self
            .local
            .as_ref()
            .filter(|_| self.allowed.is_loopback_for_tests(origin));
        let rule = if local.is_some() {
            Rule::NetworkOrLoopback
        } else {
            Rule::Network
        };
        match url.host() {
            Some(Host::Ipv4(ip)) => check_literal(ip.into(), rule)?,
            Some(Host::Ipv6(ip)) => check_literal(ip.into(), rule)?,
            Some(Host::Domain(_)) | None => {}
        }
        if let Some((matcher, client)) = &self.proxied
            && let Ok(uri) = url.as_str().parse()
            && matcher.intercept(&uri).is_some()
        {
            let is_proxied = true;
            return Ok(Route { client, is_proxied });
        }
        let client = local.unwrap_or(&self.direct);
        let is_proxied = false;
        Ok(Route { client, is_proxied })
    }
}

/// A client for all platforms and accounts. Connections carry no identity: every request is signed
/// by itself, and there are no cookies.
fn client(
    roots: Vec<reqwest::Certificate>,
    guard: Guard,
    proxy: Option<&Url>,
) -> Result<reqwest::Client, reqwest::Error> {
    let mut builder = builder(roots).dns_resolver(guard);
    if let Some(proxy) = proxy {
        builder = builder.proxy(reqwest::Proxy::all(proxy.clone())?);
    }
    builder.build()
}

/// The client for what runs on this node or its link, where the operator said so: no address there
/// would pass the guard, and a proxy must not see such requests.
pub(super) fn near_client(extra_roots: &[u8]) -> Result<reqwest::Client, reqwest::Error> {
    builder(reqwest::Certificate::from_pem_bundle(extra_roots)?).build()
}

fn builder(roots: Vec<reqwest::Certificate>) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .tls_backend_rustls()
        .tls_certs_merge(roots)
        .redirect(reqwest::redirect::Policy::none())
        // By default a request that a server has not begun is sent again. The planner decides that.
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        // IAM's tokens come in a header and have several kilobytes.
        .http2_max_header_list_size(LARGEST_HEADERS)
        .user_agent(concat!("imageref/", env!("CARGO_PKG_VERSION")))
        // The environment is read by us: a client goes straight, or always through the proxy.
        .no_proxy()
}
