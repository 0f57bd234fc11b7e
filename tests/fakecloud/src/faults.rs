//! Owns the faults that can be switched on: what they are, which call they hit, when they are used up.
//! Must not be known here: how a fault is put on the wire.

use crate::calls::Operation;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A fault that hits calls until it is used up or cleared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The operation it hits; none for every request outside the admin API.
    #[serde(default)]
    pub on: Option<Operation>,
    /// What goes wrong.
    #[serde(flatten)]
    pub kind: FaultKind,
    /// How many calls it hits; none for all.
    #[serde(default)]
    pub times: Option<u32>,
}

impl Fault {
    /// A fault on every call of every operation.
    pub fn always(kind: FaultKind) -> Self {
        Fault {
            on: None,
            kind,
            times: None,
        }
    }

    /// The same fault, on one operation.
    #[must_use]
    pub fn on(mut self, operation: Operation) -> Self {
        self.on = Some(operation);
        self
    }

    /// The same fault, for so many calls.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "kebab-case",
    rename_all_fields = "snake_case"
)]
pub enum FaultKind {
    /// The answer comes late; combines with any other fault.
    Latency {
        /// Milliseconds.
        ms: u64,
    },
    /// An error in the shape of the operation's cloud.
    Status {
        /// HTTP status.
        status: u16,
        /// Its code.
        error_code: String,
        /// Its message.
        error_message: String,
        /// Value of a `Retry-After` header.
        #[serde(default)]
        retry_after: Option<String>,
    },
    /// Any answer, word for word.
    Body {
        /// HTTP status.
        status: u16,
        /// Value of `Content-Type`.
        content_type: String,
        /// The body.
        body: String,
    },
    /// An error that repeats everything it was asked with, headers and body, in each of its words.
    Echo {
        /// HTTP status.
        status: u16,
    },
    /// 429 with `ModelArts.6101`.
    #[serde(rename = "throttled-modelarts")]
    ThrottledModelArts {
        /// Seconds for a `Retry-After` header.
        #[serde(default)]
        retry_after_s: Option<u64>,
    },
    /// 429 with the gateway's `APIGW.0308`.
    ThrottledGateway {
        /// Seconds for a `Retry-After` header.
        #[serde(default)]
        retry_after_s: Option<u64>,
    },
    /// PAI's `Throttling.User`; its status is an option.
    ThrottledPai {
        /// Milliseconds for an `x-acs-retry-after` header.
        #[serde(default)]
        retry_after_ms: Option<u64>,
    },
    /// 500 in the shape of the operation's cloud.
    #[serde(rename = "internal-500")]
    Internal500,
    /// The true answer, cut in the middle of the body; `Content-Length` promises all of it.
    Truncated,
    /// The true answer, byte by byte.
    SlowDrip {
        /// Milliseconds between two bytes.
        ms: u64,
    },
    /// 200 and a valid JSON object of so many bytes, its length not announced.
    Huge {
        /// Size of the body.
        bytes: u64,
    },
    /// 200 and a body that is not JSON although it says so.
    Malformed,
    /// The true answer's bytes, as `text/html`.
    WrongContentType,
    /// 200 and JSON nested so deep.
    DeepNesting {
        /// Levels.
        levels: usize,
    },
    /// 302.
    Redirect {
        /// Value of `Location`.
        to: String,
    },
    /// The connection is reset instead of an answer.
    ConnectionReset,
    /// The connection is closed instead of an answer.
    ConnectionClose,
}

/// What a call is hit by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) delay: Duration,
    pub(crate) kind: Option<FaultKind>,
}

/// The faults that are on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn set(&mut self, faults: Vec<Fault>) {
        self.0 = faults;
    }

    pub(crate) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(crate) fn all(&self) -> &[Fault] {
        &self.0
    }

    /// Every delay that applies, and the first other fault; both are counted as used.
    pub(crate) fn hit(&mut self, operation: Option<Operation>) -> Hit {
        let mut hit = Hit::default();
        for fault in &mut self.0 {
            let applies = fault.on.is_none() || fault.on == operation;
            if !applies || fault.times == Some(0) {
                continue;
            }
            match &fault.kind {
                FaultKind::Latency { ms } => hit.delay += Duration::from_millis(*ms),
                other if hit.kind.is_none() => hit.kind = Some(other.clone()),
                _ => continue,
            }
            fault.times = fault.times.map(|times| times - 1);
        }
        self.0.retain(|fault| fault.times != Some(0));
        hit
    }
}
