//! The verdicts for whoever restarts the processes, or sends them traffic: none of them asks a platform.

use super::metrics::{address, get};
use super::process::own_scene;
use fakecloud::defaults::ASCEND_NOTEBOOK_ID;
use fakecloud::{Fault, FaultKind};
use std::time::{Duration, Instant};

#[test]
fn a_controller_whose_platform_never_answered_lives_and_becomes_ready() {
    let Some(mut scene) = own_scene(true) else {
        return;
    };
    // From before its start: it cannot live on what it was told once.
    let silent = FaultKind::Latency { ms: 600_000 };
    scene.cloud.set_faults(vec![Fault::always(silent)]);
    scene.modelarts("default");
    scene.image_ref(
        "one",
        &format!("timeout: 1s, source: {{notebook: {{id: {ASCEND_NOTEBOOK_ID}}}}}"),
    );
    scene.start_operator();
    let address = address(&scene);
    let deadline = Instant::now() + Duration::from_secs(60);
    while get(&address, "/readyz").0 != 200 {
        assert_eq!(get(&address, "/livez").0, 200);
        assert!(Instant::now() < deadline, "{}", scene.operator_log());
        std::thread::sleep(Duration::from_millis(50));
    }
    // The platform was asked in vain, and the verdicts stand.
    scene.wait_reason("one", "Progressing");
    assert!(scene.cloud.calls().total() > 0);
    for path in ["/livez", "/healthz", "/readyz"] {
        assert_eq!(get(&address, path), (200, "ok\n".into()), "{path}");
    }
}
