//! The certificate of the webhook: made here, or read from files that somebody else renews.
//!
//! Owns the certificate from its making to its end, and whom the configurations trust. Must not know
//! what is served over it. The invariant that would break first: **no replica serves a certificate
//! that an API server may not trust**, at whatever point replicas stop, sleep or overtake each other.
//!
//! Each certificate has an authority of its own, which signs it and nothing else. So there is one
//! kind of renewal. It goes through the Secret, in three writes that any replica may make:
//!
//! 1. the next certificate is made, its authority put into the bundle (Secret);
//! 2. the bundle is put into the configurations;
//! 3. all configurations have been seen to trust it for a while: the next is the current one (Secret).
//!
//! Only then a replica serves it. The authority of the one before stays in the bundle until that one
//! has ended. [`plan`] decides, [`look`] keeps the order, [`objects`] reads and writes.

mod bundle;
mod files;
#[doc(hidden)]
pub mod fuzzing;
mod held;
mod look;
mod make;
#[cfg(test)]
mod model;
mod objects;
mod pair;
mod plan;
mod serving;

pub use files::{EVERY, follow, load};
pub use objects::FIELD_MANAGER;
pub use pair::BadPair;
pub use serving::Serving;

use jiff::Timestamp;
use kube::Client;
use look::{Again, Keeper};
use objects::Objects;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// How long to wait after somebody has written.
const SOON: Duration = Duration::from_secs(1);

/// Looks at that pace in a row: whoever writes against us is not answered faster.
const MOST_SOON: u32 = 3;

/// How long things take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How long a certificate is valid.
    pub lifetime: Duration,
    /// How long before its end the next is made.
    pub renew_before: Duration,
    /// How long all configurations must have been seen to trust the next: every API server must have
    /// heard of it.
    pub settle: Duration,
    /// How often to look.
    pub every: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        Self {
            lifetime: DAY * 30,
            renew_before: DAY * 10,
            settle: Duration::from_secs(30),
            every: Duration::from_secs(10),
        }
    }
}

/// What is kept, and where.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The operator's namespace.
    pub namespace: String,
    /// The name of the Secret in it.
    pub secret: String,
    /// DNS names and addresses that the webhook is called by, one at least: [`service_name`].
    pub names: Vec<String>,
    /// Names of `ValidatingWebhookConfiguration`s that lead to the webhook, and nowhere else.
    pub validating: Vec<String>,
    /// Names of such `MutatingWebhookConfiguration`s.
    pub mutating: Vec<String>,
    /// How long things take.
    pub pace: Pace,
}

/// The name by which API servers call a Service.
pub fn service_name(service: &str, namespace: &str) -> String {
    format!("{service}.{namespace}.svc")
}

/// Keeps the certificate until `stop`: makes and renews it, tells the configurations whom to trust,
/// and puts it into `serving`. Every replica may run it at the same time. What fails is tried again
/// at the next look, and [`Serving::last_error`] says so.
pub async fn keep(
    client: Client,
    settings: Settings,
    serving: Arc<Serving>,
    clock: impl Fn() -> Timestamp,
    stop: CancellationToken,
) {
    let objects = Objects::new(&client, &settings);
    let mut keeper = Keeper::new(settings.names, settings.pace, serving.clone());
    let begun = Instant::now();
    let mut soon = 0;
    loop {
        let look = keeper.look(&objects, clock(), || begun.elapsed());
        let looked = tokio::select! {
            () = stop.cancelled() => return,
            looked = look => looked,
        };
        let again = looked.as_ref().copied().unwrap_or(Again::Later);
        let wait = wait(again, &mut soon, keeper.pace.every);
        let error = looked.err();
        let text = error.clone();
        if serving.note(error) {
            if let Some(error) = text {
                warn!(%error, "the webhook's certificate cannot be kept");
            } else {
                info!("the webhook's certificate is kept again");
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// How long to wait for the next look: `soon` are the looks before it that were hurried.
fn wait(again: Again, soon: &mut u32, every: Duration) -> Duration {
    if again == Again::Soon && *soon < MOST_SOON {
        *soon += 1;
        SOON.min(every)
    } else {
        *soon = 0;
        every
    }
}
