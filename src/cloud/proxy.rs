//! The operator's proxy: which one, and for which hosts.
//!
//! Owns what is read of `HTTPS_PROXY` and `NO_PROXY`. Must not know any provider: a tenant has no
//! say in this. The invariant that would break first: no text that comes out of here holds the
//! password of a proxy's URL.

use hyper_util::client::proxy::matcher::Matcher;
use std::fmt;
use url::Url;

/// A proxy for requests over TLS, and the hosts that are reached without it. Plain HTTP exists to
/// this machine only and never goes through a proxy.
#[derive(Clone, Default)]
pub struct Proxies {
    proxy: Option<Url>,
    except: String,
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.proxy.as_ref().and_then(Url::host_str);
        f.debug_struct("Proxies")
            .field("host", &host)
            .field("except", &self.except)
            .finish()
    }
}

impl Proxies {
    /// From the environment: `HTTPS_PROXY`, else `ALL_PROXY`, and `NO_PROXY`, each also in lower
    /// case. Unlike other programs this one does not start with a proxy that it cannot use.
    ///
    /// # Errors
    /// One sentence that says what to write.
    pub fn from_env() -> Result<Self, String> {
        let first = |names: &[&str]| {
            let values = names.iter().filter_map(|name| std::env::var(name).ok());
            values
                .map(|value| value.trim().to_owned())
                .find(|value| !value.is_empty())
        };
        let proxy = first(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]);
        let except = first(&["NO_PROXY", "no_proxy"]).unwrap_or_default();
        match proxy {
            Some(proxy) => Self::new(&proxy, &except),
            None => Ok(Self::default()),
        }
    }

    /// A proxy such as `http://proxy.example:3128`, and the hosts without it as `NO_PROXY` names
    /// them: names with all below them, addresses, networks, `*`.
    ///
    /// # Errors
    /// One sentence that says what to write.
    pub fn new(proxy: &str, except: &str) -> Result<Self, String> {
        let whole = if proxy.contains("://") {
            proxy.to_owned()
        } else {
            format!("http://{proxy}")
        };
        let url = whole.parse::<Url>().ok();
        let usable =
            |url: &Url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some();
        match url.filter(usable) {
            Some(url) => Ok(Self {
                proxy: Some(url),
                except: except.to_owned(),
            }),
            None => Err(
                "HTTPS_PROXY must be the URL of an HTTP proxy such as http://proxy.example:3128"
                    .into(),
            ),
        }
    }

    /// The proxy, if there is one.
    pub(super) fn proxy(&self) -> Option<&Url> {
        self.proxy.as_ref()
    }

    /// Tells the hosts that go through the proxy: by the rules of the HTTP client itself, which
    /// keeps its own reader of them to itself.
    pub(super) fn matcher(&self) -> Option<Matcher> {
        let proxy = self.proxy.as_ref()?;
        let matcher = Matcher::builder()
            .https(proxy.as_str())
            .no(self.except.as_str());
        Some(matcher.build())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_an_http_one_and_its_password_stays_inside() {
        for proxy in [
            "http://proxy.example:3128",
            "https://proxy.example",
            "proxy.example:3128",
            "10.0.0.1:3128",
        ] {
            assert!(Proxies::new(proxy, "").is_ok(), "{proxy}");
        }
        for proxy in [
            "socks5://u:hidden@proxy.example",
            "http://",
            "http://u:hidden@:1",
            "a b",
        ] {
            let error = Proxies::new(proxy, "").unwrap_err();
            assert!(
                error.contains("HTTPS_PROXY") && !error.contains("hidden"),
                "{error}"
            );
        }
        let proxies = Proxies::new("http://u:hidden@proxy.example", "a.example").unwrap();
        assert!(!format!("{proxies:?}").contains("hidden"));
    }

    #[test]
    fn exceptions_are_names_with_all_below_them_addresses_and_networks() {
        let through = |except: &str, host: &str| {
            let proxies = Proxies::new("http://proxy.example", except).unwrap();
            let uri = format!("https://{host}/").parse().unwrap();
            proxies.matcher().unwrap().intercept(&uri).is_some()
        };
        assert!(through("", "a.example") && through("b.example", "a.example"));
        assert!(through("a.example", "not-a.example"));
        for (except, host) in [
            ("*", "a.example"),
            ("x, a.example", "a.example"),
            ("example", "a.example"),
            (".a.example", "b.a.example"),
            ("10.0.0.0/8", "10.1.2.3"),
        ] {
            assert!(!through(except, host), "{except} {host}");
        }
    }
}
