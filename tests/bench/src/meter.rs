//! The counters around a scenario, and the row that they make.
//!
//! Owns what each column of a row is read from. Must not know what the scenario does. The invariant
//! that would break first: counters are read before and after, so that nothing of an earlier
//! scenario is in a row.

use crate::place::Place;
use crate::report::Row;
use crate::traffic::{Traffic, status_writes};
use anyhow::Result;
use site::{Process, proc};
use std::collections::BTreeMap;

/// A row, and every request that the API server counted for it.
pub(crate) type Finding = (Row, BTreeMap<String, u64>);

/// The counters at the beginning of a scenario.
pub(crate) struct Meter {
    scenario: &'static str,
    refs: u32,
    traffic: Traffic,
    calls: u64,
    cpu: f64,
}

impl Meter {
    /// Reads them; an operator that is yet to start has used nothing.
    pub(crate) async fn start(
        place: &Place,
        scenario: &'static str,
        refs: u32,
        operator: Option<&Process>,
    ) -> Result<Self> {
        if let Some(operator) = operator {
            proc::reset_peak(operator.pid)?;
        }
        Ok(Self {
            scenario,
            refs,
            traffic: Traffic::read(&place.client).await?,
            calls: place.cloud.calls().total(),
            cpu: operator.map_or(Ok(0.0), |operator| proc::cpu_seconds(operator.pid))?,
        })
    }

    /// Open watches of `ImageRef`s then.
    pub(crate) fn watches(&self) -> u64 {
        self.traffic.watches
    }

    /// Calls of the cloud since.
    pub(crate) fn calls(&self, place: &Place) -> u64 {
        place.cloud.calls().total() - self.calls
    }

    /// The row of a scenario that is over.
    pub(crate) async fn stop(
        self,
        place: &Place,
        operator: &Process,
        seconds: f64,
    ) -> Result<Finding> {
        let calls = self.calls(place);
        let requests = Traffic::read(&place.client).await?.since(&self.traffic);
        let rss = proc::rss(operator.pid)?;
        let row = Row {
            scenario: self.scenario.into(),
            refs: self.refs,
            seconds: Some(seconds),
            control_seconds: None,
            ratio: None,
            cloud_calls: Some(calls),
            status_writes: Some(status_writes(&requests)),
            rss_peak_mib: Some(rss.peak),
            rss_steady_mib: Some(rss.current),
            cpu_seconds: Some(proc::cpu_seconds(operator.pid)? - self.cpu),
            ..Row::default()
        };
        Ok((row, requests))
    }
}
