//! The lease: of two processes one works, whatever becomes of it or of the API server.

use super::operator::Scene;
use super::process::own_scene;
use cluster::Cluster;
use fakecloud::defaults::{ASCEND_NOTEBOOK_ID, SEED_NOTEBOOK_ID};
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The design's number: from the death of the process that works until another does.
const TAKEOVER: Duration = Duration::from_secs(20);

/// A lease holds for 15 s, and a claim on it for 12.
const CLAIM: Duration = Duration::from_secs(12);

pub(crate) struct Replica {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Replica {
    fn start(scene: &Scene, name: &'static str) -> Self {
        Self::start_with(scene, name, &[])
    }

    /// With these arguments more than the others.
    pub(crate) fn start_with(scene: &Scene, name: &'static str, more: &[&str]) -> Self {
        let token = scene
            .cluster
            .service_account_token("imageref-system", "imageref")
            .unwrap();
        let kubeconfig = scene.cluster.kubeconfig_with_token(&token).unwrap();
        let log = scene.cluster.folder().join(format!("{name}.log"));
        let child = Command::new(env!("CARGO_BIN_EXE_imageref"))
            .args(["controller", "--insecure-loopback", "--no-registries"])
            .args(["--allow-endpoint", &scene.cloud.url(), "--instance", name])
            .args(["--metrics-address", ""])
            .args(more)
            .env("KUBECONFIG", kubeconfig)
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Self { name, child, log }
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits until its log says so.
    pub(crate) fn says(&self, words: &str, within: Duration) {
        let begun = Instant::now();
        while !self.log().contains(words) {
            assert!(
                begun.elapsed() < within,
                "{} never said {words:?}:\n{}",
                self.name,
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn ends(&mut self, within: Duration) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < within, "{} goes on", self.name);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A control plane with the rights and a provider, the first replica, which works, and the second.
fn two() -> Option<(Scene, Replica, Replica)> {
    let scene = own_scene(true)?;
    let rights = include_str!("../deploy/rbac.yaml");
    let apply = ["apply", "-f", "-"];
    scene.cluster.kubectl_with_stdin(&apply, rights).unwrap();
    scene.modelarts("default");
    let first = Replica::start(&scene, "first");
    first.says("this process holds the lease", Duration::from_secs(60));
    let second = Replica::start(&scene, "second");
    second.says("another process holds the lease", Duration::from_secs(60));
    image(&scene, "before", ASCEND_NOTEBOOK_ID);
    scene.wait_reason("before", "Resolved");
    Some((scene, first, second))
}

fn image(scene: &Scene, name: &str, id: &str) {
    scene.image_ref(name, &format!("source: {{notebook: {{id: {id}}}}}"));
}

fn holder(cluster: &Cluster) -> String {
    let lease = [
        "-n",
        "imageref-system",
        "get",
        "lease",
        "imageref-controller",
        "-o",
        "json",
    ];
    let lease: Value = serde_json::from_str(&cluster.kubectl(&lease).unwrap()).unwrap();
    let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
    holder.split('_').next().unwrap().to_owned()
}

#[test]
fn after_kill_9_the_other_works_within_20_s() {
    let Some((scene, mut first, second)) = two() else {
        return;
    };
    assert_eq!(holder(scene.cluster), "first");
    first.child.kill().unwrap();
    let killed = Instant::now();
    image(&scene, "after", SEED_NOTEBOOK_ID);
    second.says("this process holds the lease", TAKEOVER);
    scene.wait_reason("after", "Resolved");
    let took = killed.elapsed();
    assert!(took <= TAKEOVER, "{took:?}");
    eprintln!("after kill -9 the other worked in {took:.1?}");
    assert_eq!(holder(scene.cluster), "second");
}

#[test]
fn on_sigterm_the_lease_is_given_back_and_the_other_works_at_once() {
    let Some((scene, mut first, second)) = two() else {
        return;
    };
    first.signal("TERM");
    let asked = Instant::now();
    assert!(first.ends(Duration::from_secs(30)).success());
    second.says("this process holds the lease", TAKEOVER);
    let took = asked.elapsed();
    // Less than a lease lasts: it did not run out, it was given back.
    assert!(took < CLAIM, "{took:?}\n{}", first.log());
    eprintln!("after SIGTERM the other held the lease in {took:.1?}");
    image(&scene, "after", SEED_NOTEBOOK_ID);
    scene.wait_reason("after", "Resolved");
}

#[test]
fn a_leader_that_was_frozen_asks_nothing_and_ends_once_it_wakes_up() {
    let Some((scene, mut first, second)) = two() else {
        return;
    };
    first.signal("STOP");
    let frozen = Instant::now();
    second.says("this process holds the lease", TAKEOVER);
    eprintln!(
        "the other held the lease {:.1?} after SIGSTOP",
        frozen.elapsed()
    );
    image(&scene, "after", SEED_NOTEBOOK_ID);
    scene.wait_reason("after", "Resolved");
    let before = first.log();
    let calls = scene.cloud.calls().total();
    first.signal("CONT");
    let status = first.ends(Duration::from_secs(15));
    assert_eq!(status.code(), Some(2), "{}", first.log());
    let said = first.log()[before.len()..].to_owned();
    assert!(
        said.contains("the lease imageref-controller could not be renewed"),
        "{said}"
    );
    // It has heard of `after` too, and must leave it alone.
    assert!(!said.contains("Resolved"), "{said}");
    assert_eq!(scene.cloud.calls().total(), calls);
    assert_eq!(holder(scene.cluster), "second");
}

#[test]
fn while_the_api_server_is_frozen_the_leader_ends_before_its_lease_does() {
    let Some((scene, mut first, mut second)) = two() else {
        return;
    };
    scene.cluster.freeze_apiserver(true).unwrap();
    let frozen = Instant::now();
    let status = first.ends(CLAIM + Duration::from_secs(2));
    let ended = frozen.elapsed();
    assert_eq!(status.code(), Some(2), "{}", first.log());
    // Whoever only waits has nothing to lose.
    assert!(
        second.child.try_wait().unwrap().is_none(),
        "{}",
        second.log()
    );
    scene.cluster.freeze_apiserver(false).unwrap();
    let thawed = Instant::now();
    second.says("this process holds the lease", TAKEOVER);
    eprintln!(
        "the leader ended {ended:.1?} after the freeze, the other held the lease {:.1?} after its end",
        thawed.elapsed()
    );
    image(&scene, "after", SEED_NOTEBOOK_ID);
    scene.wait_reason("after", "Resolved");
}

#[test]
fn a_short_restart_of_the_api_server_changes_no_leader() {
    let Some((scene, first, second)) = two() else {
        return;
    };
    scene.cluster.restart_apiserver().unwrap();
    image(&scene, "after", SEED_NOTEBOOK_ID);
    scene.wait_reason("after", "Resolved");
    assert_eq!(
        holder(scene.cluster),
        "first",
        "{}\n{}",
        first.log(),
        second.log()
    );
}

#[test]
fn a_lease_that_somebody_labels_or_deletes_is_kept() {
    let Some((scene, first, second)) = two() else {
        return;
    };
    let lease = |args: &[&str]| {
        let mut all = vec!["-n", "imageref-system"];
        all.extend(args);
        scene.cluster.kubectl(&all).unwrap()
    };
    lease(&["label", "lease/imageref-controller", "seen=yes"]);
    let renewed = || {
        lease(&[
            "get",
            "lease/imageref-controller",
            "-o",
            "jsonpath={.spec.renewTime}",
        ])
    };
    let before = renewed();
    let begun = Instant::now();
    while renewed() == before {
        assert!(begun.elapsed() < CLAIM, "{}", first.log());
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(holder(scene.cluster), "first");
    lease(&["delete", "lease/imageref-controller"]);
    let begun = Instant::now();
    loop {
        let get = [
            "-n",
            "imageref-system",
            "get",
            "lease",
            "imageref-controller",
        ];
        if scene.cluster.kubectl(&get).is_ok() {
            break;
        }
        assert!(begun.elapsed() < TAKEOVER, "{}", second.log());
        std::thread::sleep(Duration::from_millis(100));
    }
    // Either may be faster; the other does not work.
    image(&scene, "after", SEED_NOTEBOOK_ID);
    scene.wait_reason("after", "Resolved");
}
