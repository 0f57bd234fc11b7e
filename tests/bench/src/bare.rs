//! The bare client: requests to the API server and nothing else.
//!
//! Owns how many requests are under way at once. Must not know the operator; answers are read and
//! thrown away. The invariant that would break first: this stays the fastest way to write statuses
//! from one client, since the operator is measured against it.

use crate::fleet::Fleet;
use crate::sight::Sight;
use anyhow::Result;
use kube::Client;
use kube::api::{Patch, PatchParams, Request};
use serde_json::{Value, json};
use site::{Progress, send};
use std::time::{Duration, Instant};

/// Requests under way at once that are tried, to find the fastest.
const CONCURRENCIES: [usize; 4] = [8, 16, 32, 64];

/// Statuses that each of them writes.
const PART: u32 = 400;

/// As many as for whatever is not measured, until the best is known.
const FIRST: usize = 32;

/// Statuses as the operator wrote them, to be written again onto copies.
pub(crate) struct Control {
    patches: Vec<Vec<u8>>,
    concurrency: usize,
}

impl Control {
    /// Takes statuses to write, and finds the best concurrency with a part.
    pub(crate) async fn calibrate(
        client: &Client,
        progress: &Progress,
        statuses: &[Value],
    ) -> Result<Self> {
        let patches = statuses
            .iter()
            .map(|status| serde_json::to_vec(&json!({"status": status})))
            .collect::<Result<_, _>>()?;
        let mut control = Self {
            patches,
            concurrency: FIRST,
        };
        let mut best = (f64::INFINITY, FIRST);
        let mut rates = Vec::new();
        for concurrency in CONCURRENCIES {
            control.concurrency = concurrency;
            let part = Fleet::new(&format!("part-{concurrency}"), PART);
            let seconds = control.write(client, progress, &part).await?;
            rates.push(format!(
                "{concurrency} at once: {:.0}/s",
                f64::from(PART) / seconds
            ));
            if seconds < best.0 {
                best = (seconds, concurrency);
            }
        }
        control.concurrency = best.1;
        progress.line(&format!("the bare client writes, {}", rates.join(", ")));
        Ok(control)
    }

    /// Creates a fleet that nobody serves and writes a status onto each of its objects. Gives the
    /// seconds until a watch has seen the last one, which is how the operator is timed, too.
    pub(crate) async fn write(
        &self,
        client: &Client,
        progress: &Progress,
        copies: &Fleet,
    ) -> Result<f64> {
        copies.create(client, progress).await?;
        progress.step(
            &format!("control: {} statuses by the bare client", copies.size),
            copies.size,
        );
        let mut sight = Sight::open(client, copies).await?;
        let started = Instant::now();
        let limit = Duration::from_secs(60) + Duration::from_millis(20) * copies.size;
        let requests = (0..copies.size).zip(self.patches.iter().cycle());
        let requests = requests.map(|(number, patch)| {
            let mut request = Request::new(copies.path(number)).patch_subresource(
                "status",
                &Fleet::name(number),
                &PatchParams::default(),
                &Patch::Merge(json!({})),
            )?;
            request.body_mut().clone_from(patch);
            Ok(request)
        });
        let seen = sight.until(
            progress,
            limit,
            || Ok(()),
            |_, view| view.ready == Some(true),
        );
        let ((), seen) = tokio::try_join!(send(client, requests, self.concurrency), seen)?;
        Ok((seen - started).as_secs_f64())
    }
}
