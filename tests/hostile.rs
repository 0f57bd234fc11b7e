//! No steering: nothing that a tenant writes, a name server answers or a platform sends moves a
//! signed request to another host, path or API.
//!
//! Owns the tables of hostile inputs and what is proved about them: where each is refused and in
//! which words, and what reached the wire. The invariant that would break first: every lock is
//! tried alone too, with the ones before it left open, since an older CRD is one.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "these are tests, their helpers too"
)]

mod addresses;
mod answers;
mod by_hand;
mod front;
mod guide;
mod names;
mod process;
mod proofs;
mod proxies;
mod redirects;
mod refused;
mod tls;

use crate::cloud::{huawei, target};
use fakecloud::defaults;
use imageref::cloud::guard::Lookup;
use imageref::cloud::{Clouds, Network};
use imageref::facts::{Facts, Failure};
use imageref::plan::target::{Query, Target};
use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);
/// The vendor's own origin for the region of the fake clouds, and its host.
const VENDOR: &str = "https://modelarts.cn-north-4.myhuaweicloud.com";
const VENDOR_HOST: &str = "modelarts.cn-north-4.myhuaweicloud.com";

/// A name server under the test's control: the answers in order, the last for ever.
struct Names {
    answers: Mutex<VecDeque<Vec<SocketAddr>>>,
    asked: Mutex<Vec<String>>,
}

impl Names {
    fn new(answers: &[&[SocketAddr]]) -> Arc<Self> {
        Arc::new(Self {
            answers: Mutex::new(answers.iter().map(|answer| answer.to_vec()).collect()),
            asked: Mutex::default(),
        })
    }

    fn lookup(self: &Arc<Self>) -> Lookup {
        let names = self.clone();
        Arc::new(move |host| {
            names.asked.lock().unwrap().push(host);
            let mut answers = names.answers.lock().unwrap();
            let answer = if answers.len() > 1 {
                answers.pop_front()
            } else {
                answers.front().cloned()
            };
            Box::pin(std::future::ready(Ok(answer.unwrap_or_default())))
        })
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// A listener that nobody may connect to.
struct Trap(TcpListener);

impl Trap {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    fn assert_untouched(&self, why: &str) {
        assert!(self.0.accept().is_err(), "somebody connected: {why}");
    }
}

/// One question to the origin that a ModelArts account names.
fn question(origin: &str) -> Target {
    target(
        origin,
        Query::NotebookId(defaults::SEED_NOTEBOOK_ID.to_owned()),
    )
}

/// Asks it with the fake clouds' own key.
async fn ask(clouds: &Clouds, origin: &str) -> Result<Facts, Failure> {
    let credential = huawei(defaults::HUAWEI_SK);
    clouds
        .look(&question(origin), &credential, None, PATIENCE)
        .await
}

fn clouds(network: Network) -> Clouds {
    Clouds::new(network).unwrap()
}
