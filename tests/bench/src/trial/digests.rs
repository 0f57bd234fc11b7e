//! The references ask for digests at each look.
//!
//! Owns this one scenario. The invariant that would break first: the window begins when every
//! reference has its digest.

use super::{INTERVAL, LATENCY, REFRESHES, Resident, Scenario, Trial, patience};
use crate::depot::Depot;
use crate::fleet::Fleet;
use crate::meter::Finding;
use crate::sight::Sight;
use anyhow::Result;

impl Trial<'_> {
    /// Some intervals in which nothing changes, neither at the cloud nor at the registry.
    pub(super) async fn digest_refresh(&mut self) -> Result<Finding> {
        self.stop().await?;
        let depot = Depot::start(LATENCY).await?;
        let fleet = Fleet::new("digest", self.refs).with_digests(INTERVAL.0);
        fleet.create(&self.place.client, self.progress).await?;
        let mut sight = Sight::open(&self.place.client, &fleet).await?;
        self.progress.step("digests", self.refs);
        let origin = depot.origin();
        let mut operator = self.place.operate(&fleet, Some(&origin)).await?;
        sight
            .until(
                self.progress,
                patience(self.refs),
                || operator.alive(),
                |_, view| view.is_resolved() && view.digest,
            )
            .await?;
        let (heads, gets) = depot.asked();
        self.progress.line(&format!(
            "digest_refresh: all have their digest after {heads} HEAD and {gets} GET at the registry"
        ));
        let window = INTERVAL.1 * REFRESHES;
        let parts = u32::try_from(window.as_secs())?;
        let meter = self
            .begin(Scenario::DigestRefresh, parts, Some(&operator))
            .await?;
        sight.during(self.progress, window).await?;
        let finding = meter.stop(&self.place, &operator, window.as_secs_f64());
        let (mut row, mut requests) = finding.await?;
        let asked = depot.asked();
        for (what, before, now) in [("HEAD", heads, asked.0), ("GET", gets, asked.1)] {
            let each = (now - before).div_ceil(REFRESHES.into());
            self.progress.line(&format!(
                "digest_refresh: {each} {what} an interval at the registry"
            ));
            requests.insert(format!("{what} registry, an interval"), each);
        }
        row.cloud_calls = row.cloud_calls.map(|all| all.div_ceil(REFRESHES.into()));
        self.resident = Some(Resident { sight, operator });
        Ok((row, requests))
    }
}
