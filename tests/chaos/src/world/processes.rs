//! The processes of the operator: two replicas and the webhook.
//!
//! Owns how they are started, what they are told, and that one which ends is started again, as a kubelet
//! would. Must not know why one ends. The invariant that would break first: an end that the operator
//! does not promise is remembered.

use super::{Signal, World};
use anyhow::{Context as _, Result, ensure};
use site::{Launch, Process, REGISTRY};
use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

/// The webhook's place among the processes; the replicas of the operator are before it.
pub(crate) const WEBHOOK: usize = 2;

/// The names of the processes, by their places.
pub(crate) const NAMES: [&str; 3] = ["operator-0", "operator-1", "webhook"];

/// Longest wait for a process to be ready.
const READY: Duration = Duration::from_secs(120);

/// How often a kubelet looks here.
const LOOK: Duration = Duration::from_millis(250);

/// The operator ends so when it lost its lease.
const LOST_LEASE: i32 = 2;

/// What a process is started with, next to what all are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extra {
    /// Arguments.
    pub(crate) args: Vec<String>,
    /// Variables of its environment.
    pub(crate) env: Vec<(String, String)>,
    /// Where standard error goes, in words of a shell, such as `2>/dev/full`.
    pub(crate) redirect: Option<&'static str>,
}

/// Ports of this machine, the same for each process that takes a place.
pub(super) struct Ports {
    /// Metrics and health, by places.
    pub(super) metrics: [u16; 3],
    reviews: u16,
}

impl Ports {
    pub(super) fn free() -> Result<Self> {
        let free = cluster::free_port;
        Ok(Self {
            metrics: [free()?, free()?, free()?],
            reviews: free()?,
        })
    }
}

impl World {
    /// Starts a replica of the operator, and waits until it does what is asked of it: it works, or it
    /// sees that the other does.
    pub(crate) async fn start_operator(&mut self, number: usize, extra: Extra) -> Result<()> {
        self.spawn(number, extra).await?;
        self.ready(number).await
    }

    /// Starts the webhook, and waits until it knows all references.
    pub(crate) async fn start_webhook(&mut self, extra: Extra) -> Result<()> {
        self.spawn(WEBHOOK, extra).await?;
        self.ready(WEBHOOK).await
    }

    /// Has API servers ask the webhook, by the rules that are deployed.
    pub(super) fn ask_webhook(&self) -> Result<()> {
        let address = self.reviews();
        let documents = crate::webhook::documents(&address, &self.identity.authority_pem)?;
        let mut all = documents.iter();
        all.try_for_each(|part| self.site.apply(&part.to_string()))
    }

    /// Starts the process of a place anew, and waits for nothing.
    pub(crate) async fn spawn(&mut self, place: usize, extra: Extra) -> Result<()> {
        self.remove(place);
        let (account, mut args) = if place == WEBHOOK {
            ("imageref-webhook", self.webhook_arguments()?)
        } else {
            ("imageref", self.operator_arguments(place))
        };
        let metrics = format!("127.0.0.1:{}", self.ports.metrics[place]);
        args.extend(["--metrics-address".into(), metrics]);
        args.extend(extra.args);
        let mut env = extra.env;
        env.extend(self.beliefs[place].env());
        let launch = Launch {
            name: NAMES[place],
            account,
            args,
            env,
            through: Some((&self.road.url(place), self.road.ca_pem())),
            redirect: extra.redirect,
        };
        let process = self.site.process(launch).await?;
        if place != WEBHOOK {
            self.begins.push(self.truth.now());
        }
        self.meter.note(place, process.pid);
        match self.operators.get_mut(place) {
            Some(operator) => *operator = Some(process),
            None => self.webhook = Some(process),
        }
        Ok(())
    }

    fn operator_arguments(&self, number: usize) -> Vec<String> {
        let mirror = format!("{REGISTRY}={}", self.registry_gate.origin());
        let authority = self.front.ca_file().display().to_string();
        let args = [
            "controller",
            "--insecure-loopback",
            "--allow-endpoint",
            &self.cloud_gate.origin(),
            "--allow-endpoint",
            &self.front.origin(),
            "--ca-file",
            &authority,
            "--registry-mirror",
            &mirror,
            "--instance",
            NAMES[number],
        ];
        args.map(str::to_owned).into()
    }

    fn webhook_arguments(&self) -> Result<Vec<String>> {
        let folder = self.identity.write(self.site.folder())?;
        let folder = folder.display().to_string();
        let args = [
            "webhook",
            "--address",
            &self.reviews(),
            "--tls-dir",
            &folder,
        ];
        Ok(args.map(str::to_owned).into())
    }

    /// Where the webhook answers.
    fn reviews(&self) -> String {
        format!("127.0.0.1:{}", self.ports.reviews)
    }

    /// Sends a replica of the operator a signal.
    pub(crate) fn signal(&self, number: usize, signal: Signal) -> Result<()> {
        let process = self.operators[number].as_ref();
        process.context("it was not started")?.signal(signal)
    }

    /// The process at a place, if it was started.
    pub(crate) fn process(&mut self, place: usize) -> Option<&mut Process> {
        match self.operators.get_mut(place) {
            Some(operator) => operator.as_mut(),
            None => self.webhook.as_mut(),
        }
    }

    /// Waits until a process says that it is ready.
    pub(crate) async fn ready(&mut self, place: usize) -> Result<()> {
        let port = self.ports.metrics[place];
        let begun = Instant::now();
        loop {
            let process = self.process(place).context("it was not started")?;
            process.alive()?;
            let log = process.log();
            if get(port, "/readyz").await.is_ok() {
                return Ok(());
            }
            ensure!(begun.elapsed() < READY, "never ready:\n{log}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Kills a process; nobody notices but whoever needs it.
    pub(crate) async fn kill(&mut self, place: usize) -> Result<()> {
        let process = self.process(place).context("it was not started")?;
        process.signal(Signal::KILL)?;
        process.end(Duration::from_secs(10)).await?;
        self.remove(place);
        Ok(())
    }

    /// Takes a process away, whatever it does.
    pub(crate) fn remove(&mut self, place: usize) {
        self.meter.note(place, 0);
        match self.operators.get_mut(place) {
            Some(operator) => *operator = None,
            None => self.webhook = None,
        }
    }

    /// Starts again what has ended or was killed, and waits for nothing.
    pub(crate) async fn revive(&mut self) -> Result<()> {
        for (place, name) in NAMES.iter().enumerate() {
            if let Some(process) = self.process(place) {
                let Some(status) = process.ended() else {
                    continue;
                };
                let may = status.code() == Some(LOST_LEASE) && place != WEBHOOK;
                if !may {
                    let log = process.last_words();
                    let signal = status.signal();
                    let how = format!("{name} ended: {status} (signal {signal:?})\n{log}");
                    self.ends.push((self.truth.now(), how));
                }
                self.restarts += 1;
            }
            self.spawn(place, Extra::default()).await?;
        }
        Ok(())
    }

    /// Lets time pass as it does in a cluster: whatever ends is started again.
    pub(crate) async fn hold(&mut self, time: Duration) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < time {
            self.revive().await?;
            tokio::time::sleep(LOOK.min(time.saturating_sub(begun.elapsed()))).await;
        }
        Ok(())
    }
}

/// Asks a process for a page.
pub(super) async fn get(port: u16, path: &str) -> Result<String> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(5))
        .build()?;
    let answer = client.get(format!("http://127.0.0.1:{port}{path}"));
    Ok(answer.send().await?.error_for_status()?.text().await?)
}
