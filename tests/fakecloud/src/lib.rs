//! Owns the simulated clouds as a whole: Huawei Cloud `ModelArts`, IAM, STS and metadata, and Alibaba
//! Cloud PAI, STS and metadata, on one plain-http origin or several, with a typed API to change and
//! watch them from a test. Must not be known here:
//! the product. The clouds judge its requests by an implementation of their own.

mod accounts;
mod acr;
mod admin;
mod alibaba_instance;
mod alibaba_sts;
mod answer;
mod calls;
mod connection;
pub mod defaults;
mod delivery;
mod faults;
mod gateway;
mod huawei_instance;
mod iam;
mod id_token;
mod images;
mod modelarts;
mod options;
mod pages;
mod pai;
mod registry_logins;
mod route;
mod seen;
mod server;
mod state;
mod swr;
mod temporary;
mod trust;
pub mod verify;

pub use accounts::{AlibabaKey, HuaweiKey};
pub use calls::{Calls, LOG_LIMIT, LoggedRequest, Operation, Service};
pub use faults::{Fault, FaultKind};
pub use id_token::IdToken;
pub use images::ImageApi;
pub use options::{
    ArchCase, EcsMetadata, IamErrorShape, KeyEnvelope, KeyNames, ListLie, MetadataToken,
    ModelArtsNotFound, Options, PageBase, PageSizeField,
};
pub use registry_logins::RegistryLogin;
pub use seen::{Place, SeenToken, TokenKind};
pub use state::{AlibabaAccount, HuaweiAccount};
pub use trust::{Agency, IdentityProvider, Role};

use jiff::Timestamp;
use serde_json::Value;
use server::{SharedState, lock};
use state::State;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use tokio::sync::oneshot;

/// Running simulated clouds; dropping them stops them.
#[derive(Debug)]
pub struct FakeCloud {
    state: SharedState,
    address: SocketAddr,
    /// Dropping the sender is the signal to stop.
    _stop: oneshot::Sender<()>,
}

impl FakeCloud {
    /// Starts on a free port of the loopback interface.
    ///
    /// # Panics
    ///
    /// If no port can be bound.
    #[expect(clippy::expect_used, reason = "a test without its cloud can only end")]
    pub async fn start() -> Self {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        Self::bind(loopback)
            .await
            .expect("a free port on the loopback interface")
    }

    /// Starts on a given address.
    pub async fn bind(address: SocketAddr) -> std::io::Result<Self> {
        let state = SharedState::default();
        let (address, stop) = server::listen(state.clone(), address, BTreeSet::new()).await?;
        Ok(FakeCloud {
            state,
            address,
            _stop: stop,
        })
    }

    /// The same clouds at one more address, with all that they remember. Only these services are there;
    /// none named means all. It stops when it is dropped, the first one may go on.
    pub async fn also_at(
        &self,
        address: SocketAddr,
        services: &[Service],
    ) -> std::io::Result<Self> {
        let state = self.state.clone();
        let services = services.iter().copied().collect();
        let (address, stop) = server::listen(state.clone(), address, services).await?;
        Ok(FakeCloud {
            state,
            address,
            _stop: stop,
        })
    }

    /// The same clouds on a free port of the loopback interface, with only these services.
    ///
    /// # Panics
    ///
    /// If no port can be bound.
    #[expect(clippy::expect_used, reason = "a test without its cloud can only end")]
    pub async fn also_for(&self, services: &[Service]) -> Self {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        self.also_at(loopback, services)
            .await
            .expect("a free port on the loopback interface")
    }

    /// The origin of all clouds, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Back to the state of the start: accounts, images, options, faults, calls, log.
    pub fn reset(&self) {
        *lock(&self.state) = State::default();
    }

    /// The clouds' notion of now.
    pub fn now(&self) -> Timestamp {
        lock(&self.state).now()
    }

    /// Stores a notebook image under its `id`, or under a new one; gives the id.
    pub fn put_notebook_image(&self, image: Value) -> String {
        lock(&self.state)
            .images
            .put_by_member(ImageApi::Notebook, image)
    }

    /// Stores a Lite Server image under its `image_id`, or under a new one; gives the id.
    pub fn put_lite_server_image(&self, image: Value) -> String {
        lock(&self.state)
            .images
            .put_by_member(ImageApi::LiteServer, image)
    }

    /// Stores a PAI image under its `ImageId`, or under a new one; gives the id.
    pub fn put_pai_image(&self, image: Value) -> String {
        lock(&self.state).images.put_by_member(ImageApi::Pai, image)
    }

    /// An image as it is stored.
    pub fn image(&self, api: ImageApi, id: &str) -> Option<Value> {
        lock(&self.state)
            .images
            .get(api, id)
            .map(|image| image.value.clone())
    }

    /// All images of an API as they are stored.
    pub fn images(&self, api: ImageApi) -> Vec<Value> {
        lock(&self.state)
            .images
            .all(api)
            .map(|image| image.value.clone())
            .collect()
    }

    /// Changes an image in place; false if there is none. It keeps its id whatever the change does.
    pub fn update(&self, api: ImageApi, id: &str, change: impl FnOnce(&mut Value)) -> bool {
        lock(&self.state).images.update(api, id, change)
    }

    /// Removes an image; false if there was none.
    pub fn remove(&self, api: ImageApi, id: &str) -> bool {
        lock(&self.state).images.remove(api, id)
    }

    /// Removes all images of an API.
    pub fn clear_images(&self, api: ImageApi) {
        lock(&self.state).images.clear(api);
    }

    /// The options.
    pub fn options(&self) -> Options {
        lock(&self.state).options.clone()
    }

    /// Replaces the options.
    pub fn set_options(&self, options: Options) {
        lock(&self.state).options = options;
    }

    /// Changes some of the options.
    pub fn configure(&self, change: impl FnOnce(&mut Options)) {
        change(&mut lock(&self.state).options);
    }

    /// The faults that are on.
    pub fn faults(&self) -> Vec<Fault> {
        lock(&self.state).faults.all().to_vec()
    }

    /// Replaces the faults.
    pub fn set_faults(&self, faults: Vec<Fault>) {
        lock(&self.state).faults.set(faults);
    }

    /// Adds a fault after those that are on.
    pub fn add_fault(&self, fault: Fault) {
        lock(&self.state).faults.add(fault);
    }

    /// Switches all faults off.
    pub fn clear_faults(&self) {
        self.set_faults(Vec::new());
    }

    /// Counts of calls by operation.
    pub fn calls(&self) -> Calls {
        lock(&self.state).calls.clone()
    }

    /// Sets the counts to zero.
    pub fn reset_calls(&self) {
        lock(&self.state).calls = Calls::default();
    }

    /// The newest requests, oldest first; those of the admin API are not among them.
    pub fn log(&self) -> Vec<LoggedRequest> {
        lock(&self.state).log.all()
    }

    /// Every token that was sent, of the newest requests, oldest first.
    pub fn seen_tokens(&self) -> Vec<SeenToken> {
        lock(&self.state)
            .log
            .entries()
            .flat_map(seen::tokens)
            .collect()
    }

    /// The newest requests that held a text anywhere, as it is or percent-encoded.
    pub fn sightings(&self, text: &str) -> Vec<LoggedRequest> {
        let state = lock(&self.state);
        let held = state.log.entries().filter(|entry| seen::holds(entry, text));
        held.map(|entry| entry.request.clone()).collect()
    }
}
