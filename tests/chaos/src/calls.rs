//! What the clouds were asked, by account.
//!
//! Owns the reading of the clouds' log before it forgets. Must not know budgets. The invariant that would
//! break first: a call is told once, however often the log shows it.

use crate::rules::Call;
use fakecloud::{FakeCloud, LoggedRequest};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// The log keeps 2,000 calls; a storm of calls above every budget brings some hundreds a second.
const EACH: Duration = Duration::from_secs(2);

/// Calls by account, in the order of their times since the world began.
type Accounts = BTreeMap<String, Vec<(Duration, Call)>>;

#[derive(Default)]
struct Kept {
    accounts: Accounts,
    /// When the calls came that the log still shows and that were told. A slow one is logged after
    /// others that came later.
    told: BTreeSet<Timestamp>,
}

/// A reader of the log; it ends with this value.
pub(crate) struct Calls {
    cloud: Arc<FakeCloud>,
    kept: Arc<Mutex<Kept>>,
    anchor: (Timestamp, Duration),
    reading: JoinHandle<()>,
}

impl Drop for Calls {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

impl Calls {
    /// Begins to read; times count from `begun`.
    pub(crate) fn start(cloud: &Arc<FakeCloud>, begun: Instant) -> Self {
        let anchor = (Timestamp::now(), begun.elapsed());
        let kept = Arc::<Mutex<Kept>>::default();
        let (source, into) = (cloud.clone(), kept.clone());
        let reading = tokio::spawn(async move {
            let mut turns = tokio::time::interval(EACH);
            loop {
                turns.tick().await;
                read(&into, &source.log(), anchor);
            }
        });
        Self {
            cloud: cloud.clone(),
            kept,
            anchor,
            reading,
        }
    }

    /// All calls since the last time it was asked.
    pub(crate) fn take(&self) -> Accounts {
        read(&self.kept, &self.cloud.log(), self.anchor);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut kept.accounts)
    }
}

fn read(kept: &Mutex<Kept>, log: &[LoggedRequest], anchor: (Timestamp, Duration)) {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    let shown: BTreeSet<_> = log.iter().map(|call| call.at).collect();
    let told = std::mem::replace(&mut kept.told, shown);
    for call in log.iter().filter(|call| !told.contains(&call.at)) {
        let Some(operation) = call.operation else {
            continue;
        };
        let account = format!("{:?} at {}", operation.service(), call.host);
        let since = call.at.duration_since(anchor.0);
        let at = Duration::try_from(since).map_or(Duration::ZERO, |since| anchor.1 + since);
        let calls = kept.accounts.entry(account).or_default();
        calls.push((at, Call::Came));
    }
    for calls in kept.accounts.values_mut() {
        calls.sort_unstable();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fakecloud::Operation;

    fn call(ms: i64) -> LoggedRequest {
        LoggedRequest {
            at: Timestamp::from_millisecond(ms).unwrap(),
            method: "GET".into(),
            origin: String::new(),
            host: "a".into(),
            path: String::new(),
            query: String::new(),
            operation: Some(Operation::ListImage),
            status: None,
            principal: None,
        }
    }

    #[test]
    fn each_call_is_told_once_also_a_slow_one_that_is_logged_late() {
        let kept = Mutex::new(Kept::default());
        let anchor = (Timestamp::UNIX_EPOCH, Duration::ZERO);
        read(&kept, &[call(10), call(20)], anchor);
        read(&kept, &[call(10), call(20), call(5)], anchor);
        read(&kept, &[call(20), call(5), call(30)], anchor);
        let accounts = std::mem::take(&mut kept.lock().unwrap().accounts);
        let times: Vec<_> = accounts["ModelArts at a"]
            .iter()
            .map(|(at, _)| at.as_millis())
            .collect();
        assert_eq!(times, [5, 10, 20, 30]);
    }
}
