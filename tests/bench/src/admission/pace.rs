//! Requests in time: so many a second, or so many at once.
//!
//! Owns the clock. Must not know what is asked. The invariant that would break first: a slow answer
//! holds up no later request of a paced run.

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Sends `count` requests, so many a second whatever becomes of those before, and how long each took
/// from when it was sent.
pub(super) async fn paced<F>(
    ask: impl Fn() -> F,
    count: u32,
    per_second: u32,
) -> Result<(Vec<Duration>, f64)>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let start = Instant::now();
    let mut under_way = JoinSet::new();
    let mut again = tokio::time::interval(Duration::from_millis(1));
    let mut sent = 0;
    while sent < count {
        again.tick().await;
        while sent < count && start.elapsed() >= Duration::from_secs(1) * sent / per_second {
            under_way.spawn(timed(ask()));
            sent += 1;
        }
    }
    let mut latencies = Vec::new();
    while let Some(done) = under_way.join_next().await {
        latencies.push(done.context("a request's task")??);
    }
    Ok((latencies, start.elapsed().as_secs_f64()))
}

/// Sends `count` requests, `at_once` under way; how long each took, and all of them.
pub(super) async fn side_by_side<F>(
    ask: impl Fn() -> F,
    count: usize,
    at_once: usize,
) -> Result<(Vec<Duration>, f64)>
where
    F: Future<Output = Result<()>>,
{
    let start = Instant::now();
    let latencies = stream::iter(0..count)
        .map(|_| timed(ask()))
        .buffer_unordered(at_once)
        .try_collect()
        .await?;
    Ok((latencies, start.elapsed().as_secs_f64()))
}

/// Counts from here, not from when it is first polled.
fn timed<F: Future<Output = Result<()>>>(ask: F) -> impl Future<Output = Result<Duration>> {
    let start = Instant::now();
    async move {
        ask.await?;
        Ok(start.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn a_slow_answer_holds_up_no_later_request() {
        let slow = Duration::from_millis(200);
        let ask = || async move {
            tokio::time::sleep(slow).await;
            Ok(())
        };
        let (latencies, seconds) = paced(ask, 20, 1_000).await.unwrap();
        assert_eq!(latencies.len(), 20);
        assert!(latencies.iter().all(|took| *took >= slow));
        assert!(seconds < slow.as_secs_f64() * 10.0, "{seconds}");
    }

    #[tokio::test]
    async fn no_more_are_under_way_than_were_asked_for_and_an_error_ends_it() {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let ask = || async {
            most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            now.fetch_sub(1, Ordering::Relaxed);
            Ok(())
        };
        let (latencies, _) = side_by_side(ask, 50, 4).await.unwrap();
        assert_eq!((latencies.len(), most.into_inner()), (50, 4));
        let failing = || async { anyhow::bail!("refused") };
        side_by_side(failing, 3, 1).await.unwrap_err();
    }
}
