//! The scenarios at one size, in their order.
//!
//! Owns what each scenario does and when it counts as over. Must not know how anything is counted
//! or drawn. The invariant that would break first: the bare client is measured before and after
//! each operator's run that is compared with it, so that neither always has the emptier store.

mod admission;
mod digests;
mod scenario;

use crate::admission::Gate;
use crate::bare::Control;
use crate::fleet::Fleet;
use crate::meter::{Finding, Meter};
use crate::place::Place;
use crate::sight::{Sight, View};
use crate::traffic::Traffic;
use crate::verdicts;
use anyhow::{Result, ensure};
use kube::api::{ListParams, Request};
use serde_json::{Value, json};
use site::{Process, Progress, create, prepare};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

pub(crate) use scenario::Scenario;

/// From so many references on memory and correctness are measured, and no time is compared: the bare
/// client would write as many statuses twice.
pub(crate) const LARGE: u32 = 50_000;

/// What each answer of a registry takes.
const LATENCY: Duration = Duration::from_millis(100);

/// Measuring window after the end of a scenario; the steady memory is read at its end.
const SETTLING: Duration = Duration::from_secs(10);

/// Measuring window after a restart.
const AFTER_RESTART: Duration = Duration::from_secs(30);

/// The shortest interval that the CRD allows.
const INTERVAL: (&str, Duration) = ("1m", Duration::from_secs(60));

/// Intervals that a steady refresh is measured for; its calls are counted by the interval. In one
/// alone there may be one list or two.
const REFRESHES: u32 = 3;

/// Intervals that the outage lasts.
const OUTAGE: u32 = 2;

/// Longest wait for all to recover after an outage.
const RECOVERY: Duration = Duration::from_secs(900);

/// How far apart two runs of the bare client may be on a quiet machine.
const SPREAD: f64 = 1.25;

/// References whose statuses the bare client writes again.
const SAMPLES: u32 = 50;

/// The references that later scenarios go on with, and their operator.
struct Resident {
    sight: Sight,
    operator: Process,
}

/// The scenarios at one size.
pub(crate) struct Trial<'a> {
    progress: &'a Progress,
    place: Place,
    control: Control,
    refs: u32,
    secrets: u32,
    copies: u32,
    last_control: Option<f64>,
    resolved: Option<Fleet>,
    each_minute: bool,
    resident: Option<Resident>,
    gate: Option<Gate>,
    out: &'a Path,
}

impl<'a> Trial<'a> {
    /// Starts a control plane and a cloud for this many references, and calibrates the control.
    pub(crate) async fn start(
        program: &Path,
        progress: &'a Progress,
        refs: u32,
        secrets: u32,
        out: &'a Path,
    ) -> Result<Self> {
        progress.step("starting a control plane", 1);
        let place = Place::start(program).await?;
        let statuses = sample(&place, progress).await?;
        let control = Control::calibrate(&place.client, progress, &statuses).await?;
        Ok(Self {
            progress,
            place,
            control,
            refs,
            secrets,
            copies: 0,
            last_control: None,
            resolved: None,
            each_minute: false,
            resident: None,
            gate: None,
            out,
        })
    }

    /// Runs one scenario.
    pub(crate) async fn run(&mut self, scenario: Scenario) -> Result<Finding> {
        match scenario {
            Scenario::ColdStart => self.compared(scenario, Fleet::new("cold", self.refs)).await,
            Scenario::BrokenRefs => {
                let fleet = Fleet::new("broken", self.refs).with_broken();
                self.compared(scenario, fleet).await
            }
            Scenario::ForeignSecrets => self.foreign_secrets().await,
            Scenario::Restart => self.restart().await,
            Scenario::SteadyRefresh => self.steady_refresh().await,
            Scenario::Outage => self.outage().await,
            Scenario::DigestRefresh => self.digest_refresh().await,
            Scenario::AdmissionInProcess => {
                self.progress.step(scenario.name(), 3);
                Ok((verdicts::measured(self.out, self.refs)?, BTreeMap::new()))
            }
            Scenario::AdmissionTls | Scenario::AdmissionApiserver => self.admission(scenario).await,
        }
    }

    /// A cold start between two runs of the bare client; alone, if there are very many references.
    async fn compared(&mut self, scenario: Scenario, fleet: Fleet) -> Result<Finding> {
        self.stop().await?;
        if self.refs >= LARGE {
            let finding = self.cold_start(scenario, &fleet).await?;
            if scenario == Scenario::ColdStart {
                self.resolved = Some(fleet);
            }
            return Ok(finding);
        }
        let before = match self.last_control.take() {
            Some(seconds) => seconds,
            None => self.control().await?,
        };
        let (mut row, requests) = self.cold_start(scenario, &fleet).await?;
        let after = self.control().await?;
        let doubt = if before.max(after) > before.min(after) * SPREAD {
            "; so far apart, the ratio means little: something else uses the machine"
        } else {
            ""
        };
        self.progress.line(&format!(
            "control: {before:.2} s before, {after:.2} s after{doubt}"
        ));
        let control = f64::midpoint(before, after);
        row.control_seconds = Some(control);
        row.ratio = row.seconds.map(|seconds| seconds / control);
        self.last_control = Some(after);
        if scenario == Scenario::ColdStart {
            self.resolved = Some(fleet);
        }
        Ok((row, requests))
    }

    async fn control(&mut self) -> Result<f64> {
        let copies = Fleet::new(&format!("copy-{}", self.copies), self.refs);
        self.copies += 1;
        self.control
            .write(&self.place.client, self.progress, &copies)
            .await
    }

    /// New references exist; then the operator starts.
    async fn cold_start(&self, scenario: Scenario, fleet: &Fleet) -> Result<Finding> {
        fleet.create(&self.place.client, self.progress).await?;
        let mut sight = Sight::open(&self.place.client, fleet).await?;
        let meter = self.begin(scenario, self.refs, None).await?;
        let mut operator = self.place.operate(fleet, None).await?;
        let last = first_answers(self.progress, &mut sight, &mut operator, fleet).await?;
        let seconds = (last - operator.started).as_secs_f64();
        sight.during(self.progress, SETTLING).await?;
        let finding = meter.stop(&self.place, &operator, seconds).await?;
        operator.stop().await?;
        Ok(finding)
    }

    /// As [`Trial::cold_start`], beside Secrets that are none of the operator's business.
    async fn foreign_secrets(&mut self) -> Result<Finding> {
        self.stop().await?;
        let what = format!("{} foreign Secrets", self.secrets);
        self.progress.step(&what, self.secrets);
        let namespace = json!({"metadata": {"name": "foreign"}});
        let namespace = create("/api/v1/namespaces", &namespace);
        let secrets = (0..self.secrets).map(|number| {
            let name = format!("secret-{number:06}");
            let secret =
                json!({"metadata": {"name": name}, "stringData": {"text": "x".repeat(512)}});
            create("/api/v1/namespaces/foreign/secrets", &secret)
        });
        let client = &self.place.client;
        prepare(client, self.progress, [namespace].into_iter()).await?;
        prepare(client, self.progress, secrets).await?;
        let fleet = Fleet::new("beside-secrets", self.refs);
        self.cold_start(Scenario::ForeignSecrets, &fleet).await
    }

    async fn restart(&mut self) -> Result<Finding> {
        self.stop().await?;
        let fleet = self.resolved().await?;
        let mut sight = Sight::open(&self.place.client, &fleet).await?;
        let parts = u32::try_from(AFTER_RESTART.as_secs())?;
        let meter = self.begin(Scenario::Restart, parts, None).await?;
        let mut operator = self.place.operate(&fleet, None).await?;
        let ready = watching(&self.place, &meter, &mut operator, &fleet).await?;
        let seconds = (ready - operator.started).as_secs_f64();
        sight.during(self.progress, AFTER_RESTART).await?;
        let finding = meter.stop(&self.place, &operator, seconds).await?;
        self.resident = Some(Resident { sight, operator });
        Ok(finding)
    }

    async fn steady_refresh(&mut self) -> Result<Finding> {
        let mut resident = self.each_minute().await?;
        let window = INTERVAL.1 * REFRESHES;
        let parts = u32::try_from(window.as_secs())?;
        let operator = Some(&resident.operator);
        let meter = self.begin(Scenario::SteadyRefresh, parts, operator).await?;
        resident.sight.during(self.progress, window).await?;
        let seconds = window.as_secs_f64();
        let (mut row, requests) = meter.stop(&self.place, &resident.operator, seconds).await?;
        if let Some(calls) = &mut row.cloud_calls {
            self.progress.line(&format!(
                "steady_refresh: {calls} calls in {REFRESHES} intervals"
            ));
            *calls = calls.div_ceil(REFRESHES.into());
        }
        self.resident = Some(resident);
        Ok((row, requests))
    }

    async fn outage(&mut self) -> Result<Finding> {
        let mut resident = self.each_minute().await?;
        let window = INTERVAL.1 * OUTAGE;
        let parts = u32::try_from(window.as_secs())?;
        let operator = Some(&resident.operator);
        let meter = self.begin(Scenario::Outage, parts, operator).await?;
        self.place.cloud_fails();
        resident.sight.during(self.progress, window).await?;
        let calls = meter.calls(&self.place);
        let stale = resident.sight.count(|view| view.stale);
        let ready = resident.sight.count(|view| view.ready == Some(true));
        self.progress.line(&format!(
            "outage: after {} s {ready} of {} are Ready, {stale} Stale",
            window.as_secs(),
            self.refs
        ));
        self.progress.step("recovery", self.refs);
        self.place.cloud_answers();
        let ended = Instant::now();
        let Resident { sight, operator } = &mut resident;
        let last = sight
            .until(
                self.progress,
                RECOVERY,
                || operator.alive(),
                |_, view| view.is_resolved(),
            )
            .await?;
        let seconds = (last - ended).as_secs_f64();
        sight.during(self.progress, SETTLING).await?;
        let (mut row, requests) = meter.stop(&self.place, operator, seconds).await?;
        row.cloud_calls = Some(calls);
        self.resident = Some(resident);
        Ok((row, requests))
    }

    /// The fleet of the cold start, or one that gets its answers now.
    async fn resolved(&mut self) -> Result<Fleet> {
        if let Some(fleet) = &self.resolved {
            return Ok(fleet.clone());
        }
        let fleet = Fleet::new("cold", self.refs);
        self.cold_start(Scenario::ColdStart, &fleet).await?;
        self.resolved = Some(fleet.clone());
        Ok(fleet)
    }

    /// The resolved fleet with an operator that looks at it each minute.
    async fn each_minute(&mut self) -> Result<Resident> {
        let fleet = self.resolved().await?;
        let mut resident = match self.resident.take() {
            Some(resident) => resident,
            None => Resident {
                sight: Sight::open(&self.place.client, &fleet).await?,
                operator: self.place.operate(&fleet, None).await?,
            },
        };
        let Resident { sight, operator } = &mut resident;
        let client = &self.place.client;
        // A generation that follows the first has the new interval.
        let settled = sight.until(
            self.progress,
            patience(self.refs),
            || operator.alive(),
            |_, view| view.generation > 1 && view.is_resolved(),
        );
        if self.each_minute {
            settled.await?;
        } else {
            let changed = fleet.set_interval(client, self.progress, INTERVAL.0);
            tokio::try_join!(changed, settled)?;
            self.each_minute = true;
        }
        Ok(resident)
    }

    async fn stop(&mut self) -> Result<()> {
        if let Some(resident) = self.resident.take() {
            resident.operator.stop().await?;
        }
        Ok(())
    }

    async fn begin(
        &self,
        scenario: Scenario,
        parts: u32,
        operator: Option<&Process>,
    ) -> Result<Meter> {
        let meter = Meter::start(&self.place, scenario.name(), self.refs, operator).await?;
        let what = format!("{} with {} ImageRefs", scenario.name(), self.refs);
        self.progress.step(&what, parts);
        Ok(meter)
    }
}

/// A limit that an operator which makes a call for each reference still keeps.
fn patience(refs: u32) -> Duration {
    Duration::from_secs(180) + Duration::from_millis(100) * refs
}

/// Waits until every reference has its first answer: Ready, or, if it is broken, not found.
async fn first_answers(
    progress: &Progress,
    sight: &mut Sight,
    operator: &mut Process,
    fleet: &Fleet,
) -> Result<Instant> {
    let answered = |number, view: &View| {
        if fleet.is_broken(number) {
            view.current && view.ready == Some(false) && view.reason == "ImageNotFound"
        } else {
            view.is_resolved()
        }
    };
    let limit = patience(fleet.size);
    sight
        .until(progress, limit, || operator.alive(), answered)
        .await
}

/// Waits until the operator has listed its references, which is when it watches each namespace.
async fn watching(
    place: &Place,
    meter: &Meter,
    operator: &mut Process,
    fleet: &Fleet,
) -> Result<Instant> {
    let wanted = meter.watches() + u64::try_from(fleet.namespaces().len())?;
    let mut again = tokio::time::interval(Duration::from_millis(250));
    loop {
        again.tick().await;
        if Traffic::read(&place.client).await?.watches >= wanted {
            return Ok(Instant::now());
        }
        operator.alive()?;
        ensure!(
            operator.started.elapsed() < Duration::from_secs(60),
            "the operator watches no ImageRefs after a minute"
        );
    }
}

/// Statuses as the operator writes them, of a small fleet that nobody measures.
async fn sample(place: &Place, progress: &Progress) -> Result<Vec<Value>> {
    let fleet = Fleet::new("sample", SAMPLES);
    fleet.create(&place.client, progress).await?;
    let mut sight = Sight::open(&place.client, &fleet).await?;
    progress.step("sampling the operator's statuses", SAMPLES);
    let mut operator = place.operate(&fleet, None).await?;
    first_answers(progress, &mut sight, &mut operator, &fleet).await?;
    operator.stop().await?;
    let mut statuses = Vec::new();
    for number in 0..u32::try_from(fleet.namespaces().len())? {
        let list = Request::new(fleet.path(number)).list(&ListParams::default())?;
        let mut list: Value = place.client.request(list).await?;
        if let Some(items) = list["items"].as_array_mut() {
            statuses.extend(items.iter_mut().map(|item| item["status"].take()));
        }
    }
    Ok(statuses)
}
