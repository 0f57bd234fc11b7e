//! What a webhook's answers cost, beside references that were resolved before.
//!
//! Owns when its process starts, and the row that it makes. Must not know what it is asked. The
//! invariant that would break first: no other process of the operator runs meanwhile.

use super::{Scenario, Trial};
use crate::admission::Gate;
use crate::fleet::Fleet;
use crate::meter::Finding;
use crate::report::Row;
use anyhow::Result;

impl Trial<'_> {
    /// The webhook beside references that were resolved before.
    pub(super) async fn admission(&mut self, scenario: Scenario) -> Result<Finding> {
        self.stop().await?;
        let mut gate = if let Some(gate) = self.gate.take() {
            gate
        } else {
            let fleet = Fleet::new("admission", self.refs);
            let client = &self.place.client;
            self.control.write(client, self.progress, &fleet).await?;
            Gate::open(&self.place, self.progress, &fleet).await?
        };
        let meter = self.begin(scenario, 2, Some(&gate.webhook)).await?;
        let timed = match scenario {
            Scenario::AdmissionTls => gate.over_tls(self.progress).await?,
            _ => gate.through_api_server(&self.place, self.progress).await?,
        };
        gate.webhook.alive()?;
        let (row, requests) = meter
            .stop(&self.place, &gate.webhook, timed.seconds)
            .await?;
        let row = Row {
            control_seconds: timed.control_seconds,
            ratio: timed.control_seconds.map(|control| timed.seconds / control),
            p50_ms: Some(timed.p50_ms),
            p99_ms: Some(timed.p99_ms),
            verdicts_per_second: Some(timed.verdicts_per_second),
            ..row
        };
        self.gate = Some(gate);
        Ok((row, requests))
    }
}
