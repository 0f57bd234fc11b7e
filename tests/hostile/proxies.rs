//! The operator's proxy: behind it the rule on hosts alone decides.

use super::front::{Authority, Certificate, loopback};
use super::{Names, Trap, VENDOR, VENDOR_HOST, ask, clouds};
use fakecloud::FakeCloud;
use imageref::cloud::{AllowedEndpoints, Network, Proxies};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// A proxy that connects every tunnel to one place, and remembers what it was asked for.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub(super) async fn start(to: SocketAddr, answer: &'static str) -> Self {
        let listener = TcpListener::bind(loopback()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let heads = asked.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(tunnel(stream, to, answer, heads.clone()));
            }
        });
        Self { address, asked }
    }

    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn tunnel(
    mut stream: TcpStream,
    to: SocketAddr,
    answer: &'static str,
    heads: Arc<Mutex<Vec<String>>>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    heads
        .lock()
        .unwrap()
        .push(String::from_utf8_lossy(&head).into_owned());
    stream.write_all(answer.as_bytes()).await?;
    if answer.contains(" 200 ") {
        let mut upstream = TcpStream::connect(to).await?;
        copy_bidirectional(&mut stream, &mut upstream).await?;
    }
    Ok(())
}

pub(super) const OPEN: &str = "HTTP/1.1 200 OK\r\n\r\n";

#[tokio::test]
async fn behind_a_proxy_the_host_rule_alone_decides() {
    let cloud = FakeCloud::start().await;
    let authority = Authority::new();
    let front = authority
        .front(&cloud, loopback(), VENDOR_HOST, Certificate::Good)
        .await;
    let proxy = Proxy::start(front, OPEN).await;
    let trap = Trap::new();
    let names = Names::new(&[&[trap.address()]]);
    let network = |except: &str| Network {
        proxies: Proxies::new(&format!("http://{}", proxy.address), except).unwrap(),
        lookup: names.lookup(),
        extra_roots: authority.pem(),
        ..Network::default()
    };
    // By name this host leads to loopback; the proxy knows better.
    let proxied = clouds(network(""));
    assert!(ask(&proxied, VENDOR).await.is_ok());
    assert!(names.asked().is_empty(), "the proxy looks names up");
    let heads = proxy.asked();
    let first = format!("CONNECT {VENDOR_HOST}:443 HTTP/1.1\r\n");
    assert!(
        heads.len() == 1 && heads[0].starts_with(&first),
        "{heads:?}"
    );
    let secrets = heads[0].to_lowercase();
    assert!(
        !secrets.contains("authorization") && !secrets.contains("x-sdk-date"),
        "{secrets}"
    );
    assert_eq!(cloud.log().len(), 1);

    // The host rule is as strict as without a proxy.
    for origin in [
        "https://169.254.169.254",
        "https://127.0.0.1",
        "http://127.0.0.1",
    ] {
        assert!(ask(&proxied, origin).await.is_err(), "{origin}");
    }
    let endpoint = "https://evil.example";
    let spec = serde_json::json!({"region": "cn-north-4", "projectId": "p", "endpoint": endpoint});
    let spec = serde_json::from_value(spec).unwrap();
    let account =
        imageref::cloud::modelarts::endpoint::account(&spec, None, &AllowedEndpoints::default());
    assert!(account.unwrap_err().contains("--allow-endpoint"));
    assert_eq!(proxy.asked().len(), 1);

    // A host in NO_PROXY is looked up here again, and guarded.
    for except in ["myhuaweicloud.com", VENDOR_HOST, "*"] {
        let failure = ask(&clouds(network(except)), VENDOR).await.unwrap_err();
        assert!(failure.message.contains("loopback"), "{except}: {failure}");
    }
    assert_eq!((proxy.asked().len(), names.asked().len()), (1, 3));
    trap.assert_untouched("a host in NO_PROXY");
}

#[tokio::test]
async fn the_proxy_itself_may_be_on_this_machine_by_name_and_keeps_its_password() {
    let cloud = FakeCloud::start().await;
    let authority = Authority::new();
    let front = authority
        .front(&cloud, loopback(), VENDOR_HOST, Certificate::Good)
        .await;
    let refusing = "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
    for answer in [OPEN, refusing] {
        let proxy = Proxy::start(front, answer).await;
        let names = Names::new(&[&[proxy.address]]);
        let url = format!(
            "http://user:hidden-word@sidecar.example:{}",
            proxy.address.port()
        );
        let clouds = clouds(Network {
            proxies: Proxies::new(&url, "").unwrap(),
            lookup: names.lookup(),
            extra_roots: authority.pem(),
            ..Network::default()
        });
        let asked = ask(&clouds, VENDOR).await;
        assert_eq!(names.asked(), ["sidecar.example"]);
        let head = proxy.asked().concat().to_lowercase();
        assert!(head.contains("proxy-authorization: basic "), "{head}");
        if answer == OPEN {
            assert!(asked.is_ok());
            continue;
        }
        let failure = asked.unwrap_err();
        assert!(
            failure.message.contains("through the operator's proxy"),
            "{failure}"
        );
        assert!(
            !format!("{failure:?}").contains("hidden-word"),
            "{failure:?}"
        );
    }
    let gone = Trap::new().address();
    let clouds = clouds(Network {
        proxies: Proxies::new(&format!("http://u:hidden-word@{gone}"), "").unwrap(),
        ..Network::default()
    });
    let failure = ask(&clouds, VENDOR).await.unwrap_err();
    assert!(failure.message.contains("proxy") && !failure.message.contains("hidden-word"));
}
