//! Owns the simulated clouds as a whole: Huawei Cloud `ModelArts` and IAM, and Alibaba Cloud PAI, on one
//! plain-http origin, with a typed API to change and watch them from a test. Must not be known here:
//! the product. The clouds judge its requests by an implementation of their own.

mod admin;
mod answer;
mod calls;
mod connection;
pub mod defaults;
mod delivery;
mod faults;
mod gateway;
mod iam;
mod images;
mod modelarts;
mod options;
mod pages;
mod pai;
mod server;
mod state;
pub mod verify;

pub use calls::{Calls, LOG_LIMIT, LoggedRequest, Operation};
pub use faults::{Fault, FaultKind};
pub use images::ImageApi;
pub use options::{
    ArchCase, IamErrorShape, ListLie, ModelArtsNotFound, Options, PageBase, PageSizeField,
};
pub use state::{AlibabaAccount, HuaweiAccount};

use jiff::Timestamp;
use serde_json::Value;
use server::{SharedState, lock};
use state::{State, Token};
use std::net::SocketAddr;
use tokio::net::TcpListener;
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
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let state = SharedState::default();
        let (stop, stopped) = oneshot::channel::<()>();
        let service =
            server::router(state.clone()).into_make_service_with_connect_info::<connection::Cut>();
        tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            let _ = axum::serve(connection::Listener(listener), service)
                .with_graceful_shutdown(stopped)
                .await;
        });
        Ok(FakeCloud {
            state,
            address,
            _stop: stop,
        })
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

    /// Adds or replaces a Huawei Cloud access key.
    pub fn add_huawei_account(&self, access_key: &str, account: HuaweiAccount) {
        lock(&self.state)
            .huawei
            .insert(access_key.to_owned(), account);
    }

    /// Removes a Huawei Cloud access key; false if there was none.
    pub fn remove_huawei_account(&self, access_key: &str) -> bool {
        lock(&self.state).huawei.remove(access_key).is_some()
    }

    /// Adds or replaces an Alibaba Cloud access key.
    pub fn add_alibaba_account(&self, access_key: &str, account: AlibabaAccount) {
        lock(&self.state)
            .alibaba
            .insert(access_key.to_owned(), account);
    }

    /// Removes an Alibaba Cloud access key; false if there was none.
    pub fn remove_alibaba_account(&self, access_key: &str) -> bool {
        lock(&self.state).alibaba.remove(access_key).is_some()
    }

    /// Adds a Huawei Cloud token that does not expire; without a project it is a global one.
    pub fn add_token(&self, token: &str, project_id: Option<&str>) {
        let project_id = project_id.map(str::to_owned);
        lock(&self.state).tokens.insert(
            token.to_owned(),
            Token {
                project_id,
                expires_at: None,
            },
        );
    }

    /// Removes a Huawei Cloud token, one that IAM gave out too; false if there was none.
    pub fn revoke_token(&self, token: &str) -> bool {
        lock(&self.state).tokens.remove(token).is_some()
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
}
