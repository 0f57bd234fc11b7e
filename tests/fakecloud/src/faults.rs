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
    /// Of a hundred calls it hits so many, by chance; none for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
}

impl Fault {
    /// A fault on every call of every operation.
    pub fn always(kind: FaultKind) -> Self {
        Fault {
            on: None,
            kind,
            times: None,
            percent: None,
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

    /// The same fault, on so many of a hundred calls. Which ones follows from the option `chance_seed`
    /// and the number of the throw.
    #[must_use]
    pub fn percent(mut self, percent: u8) -> Self {
        self.percent = Some(percent);
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
pub(crate) struct Faults {
    list: Vec<Fault>,
    /// Dice thrown so far.
    throws: u64,
}

impl Faults {
    pub(crate) fn set(&mut self, faults: Vec<Fault>) {
        self.list = faults;
    }

    pub(crate) fn add(&mut self, fault: Fault) {
        self.list.push(fault);
    }

    pub(crate) fn all(&self) -> &[Fault] {
        &self.list
    }

    /// Every delay that applies, and the first other fault; both are counted as used.
    pub(crate) fn hit(&mut self, operation: Option<Operation>, seed: u64) -> Hit {
        let mut hit = Hit::default();
        for fault in &mut self.list {
            let applies = fault.on.is_none() || fault.on == operation;
            if !applies || fault.times == Some(0) {
                continue;
            }
            if let Some(percent) = fault.percent {
                self.throws += 1;
                if mixed(seed.wrapping_add(self.throws)) % 100 >= u64::from(percent) {
                    continue;
                }
            }
            match &fault.kind {
                FaultKind::Latency { ms } => hit.delay += Duration::from_millis(*ms),
                other if hit.kind.is_none() => hit.kind = Some(other.clone()),
                _ => continue,
            }
            fault.times = fault.times.map(|times| times - 1);
        }
        self.list.retain(|fault| fault.times != Some(0));
        hit
    }
}

/// Bits that follow from a number and look like chance: the last steps of `SplitMix64`.
fn mixed(number: u64) -> u64 {
    let mut bits = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::{Fault, FaultKind, Faults};

    fn hits(seed: u64, percent: u8) -> Vec<bool> {
        let mut faults = Faults::default();
        faults.add(Fault::always(FaultKind::Internal500).percent(percent));
        let throws = (0..2000).map(|_| faults.hit(None, seed).kind.is_some());
        throws.collect()
    }

    #[test]
    fn a_fault_by_chance_hits_so_many_of_a_hundred_and_the_same_ones_for_the_same_seed() {
        let count = |hits: &[bool]| hits.iter().filter(|hit| **hit).count();
        for seed in [0, 1, 77] {
            let tenth = hits(seed, 10);
            assert!((150..250).contains(&count(&tenth)), "{}", count(&tenth));
            assert_eq!(tenth, hits(seed, 10));
        }
        assert_ne!(hits(1, 10), hits(77, 10));
        assert_eq!((count(&hits(3, 0)), count(&hits(3, 100))), (0, 2000));
    }
}
