//! The events of a watch on the way: at once, late, held back, or cut in two.
//!
//! Owns the border between events: the API server sends each as one line of JSON. Must not know what they
//! are about, but for the one that says that a version is gone. The invariant that would break first:
//! events that pass are whole and in order.

use super::{Counters, Mode, count};
use axum::body::{Body, Bytes};
use futures::StreamExt as _;
use futures::stream::poll_fn;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

/// Until what was passed is on the wire.
const FLUSHED: Duration = Duration::from_millis(50);

/// The answer to a watch, disturbed as the mode says at each time.
pub(super) fn events(body: Body, mode: watch::Receiver<Mode>, counters: Arc<Counters>) -> Body {
    // One at a time: an event counts as passed when the connection takes it.
    let (passed, mut taken) = mpsc::channel(1);
    tokio::spawn(pass(body, mode, counters, passed));
    Body::from_stream(poll_fn(move |context| taken.poll_recv(context)))
}

/// The events that arrived and were not passed on.
#[derive(Default)]
struct Waiting {
    /// With the time at which each was whole.
    whole: VecDeque<(Instant, Vec<u8>)>,
    rest: Vec<u8>,
}

impl Waiting {
    fn take(&mut self, chunk: &[u8], now: Instant) {
        for part in chunk.split_inclusive(|byte| *byte == b'\n') {
            self.rest.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.whole.push_back((now, std::mem::take(&mut self.rest)));
            }
        }
    }
}

async fn pass(
    body: Body,
    mut mode: watch::Receiver<Mode>,
    counters: Arc<Counters>,
    passed: mpsc::Sender<io::Result<Bytes>>,
) {
    let mut arriving = body.into_data_stream();
    let mut waiting = Waiting::default();
    let mut ended = None;
    // Since the mode last changed.
    let mut through = 0;
    loop {
        let now = mode.borrow_and_update().clone();
        let due = waiting.whole.front().and_then(|(at, _)| match now {
            Mode::HoldEvents => None,
            Mode::LateEvents(by) => Some(*at + by),
            _ => Some(*at),
        });
        if ended.is_some() && waiting.whole.is_empty() {
            break;
        }
        tokio::select! {
            biased;
            () = passed.closed() => return,
            changed = mode.changed() => match changed {
                Ok(()) => through = 0,
                Err(_) => return,
            },
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                let Some((_, event)) = waiting.whole.pop_front() else { continue };
                if now == (Mode::CutEvents { after: through }) {
                    count(&counters.cut);
                    let half = Bytes::copy_from_slice(&event[..event.len() / 2]);
                    let _ = passed.send(Ok(half)).await;
                    // What a connection has not sent when its body fails is not sent.
                    sleep(FLUSHED).await;
                    let _ = passed.send(Err(io::ErrorKind::ConnectionReset.into())).await;
                    return;
                }
                through += 1;
                count(&counters.events);
                if says_gone(&event) {
                    count(&counters.gone);
                }
                if passed.send(Ok(event.into())).await.is_err() {
                    return;
                }
            },
            chunk = arriving.next(), if ended.is_none() => match chunk {
                Some(Ok(chunk)) => waiting.take(&chunk, Instant::now()),
                Some(Err(_)) => ended = Some(Err(io::ErrorKind::ConnectionReset.into())),
                None => ended = Some(Ok(())),
            },
        }
    }
    // An answer that broke off breaks off here too.
    let _ = passed
        .send(Ok(std::mem::take(&mut waiting.rest).into()))
        .await;
    if let Some(Err(broken)) = ended {
        let _ = passed.send(Err(broken)).await;
    }
}

fn says_gone(event: &[u8]) -> bool {
    event.starts_with(br#"{"type":"ERROR""#)
        && serde_json::from_slice::<serde_json::Value>(event)
            .is_ok_and(|event| event["object"]["code"] == 410)
}
