//! A certificate in files: exchanged as the kubelet does it, and not taken by halves.

use super::until;
use imageref::webhook::certificates::{Serving, follow};
use jiff::Timestamp;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A certificate and key as cert-manager would write them, which end in this year.
fn issued(year: i32) -> [String; 2] {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["webhook.example".to_owned()]).unwrap();
    params.not_after = date_time_ymd(year, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    [certificate.pem(), key.serialize_pem()]
}

fn year(serving: &Serving) -> Option<i16> {
    let year = |end: Timestamp| end.to_zoned(jiff::tz::TimeZone::UTC).year();
    serving.expires_at().map(year)
}

/// Puts the texts where the kubelet would: in a folder of their own, to which a link leads that is
/// exchanged at once.
fn mount(directory: &Path, name: &str, texts: &[String; 2]) {
    let folder = directory.join(name);
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("tls.crt"), &texts[0]).unwrap();
    std::fs::write(folder.join("tls.key"), &texts[1]).unwrap();
    symlink(name, directory.join("..tmp")).unwrap();
    std::fs::rename(directory.join("..tmp"), directory.join("..data")).unwrap();
    for file in ["tls.crt", "tls.key"] {
        let _ = symlink(Path::new("..data").join(file), directory.join(file));
    }
}

#[tokio::test]
async fn files_are_followed_and_half_an_exchange_is_not_taken() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_owned();
    let serving = Arc::new(Serving::default());
    let stop = CancellationToken::new();
    let every = Duration::from_millis(5);
    let following = tokio::spawn(follow(path.clone(), every, serving.clone(), stop.clone()));
    let error = || serving.last_error().unwrap_or_default();
    until("the missing file is named", || async {
        error().contains("tls.crt")
    })
    .await;
    assert!(!serving.is_ready());

    mount(&path, "..2041", &issued(2041));
    until("what is mounted is served", || async {
        year(&serving) == Some(2041)
    })
    .await;
    until("all is well", || async { serving.last_error().is_none() }).await;
    mount(&path, "..2042", &issued(2042));
    until("what is exchanged is served", || async {
        year(&serving) == Some(2042)
    })
    .await;

    // The certificate first, and its key some time after it.
    let next = issued(2043);
    std::fs::write(path.join("..data/tls.crt"), &next[0]).unwrap();
    until("the half is told", || async {
        error().contains("not that of the certificate")
    })
    .await;
    assert_eq!(year(&serving), Some(2042));
    std::fs::write(path.join("..data/tls.key"), &next[1][..100]).unwrap();
    until("the half is told", || async {
        error().contains("not readable as PEM of a private")
    })
    .await;
    assert_eq!(year(&serving), Some(2042));
    assert!(
        !error().contains(next[1].lines().nth(1).unwrap()),
        "{}",
        error()
    );
    std::fs::write(path.join("..data/tls.key"), &next[1]).unwrap();
    until("the whole is served", || async {
        year(&serving) == Some(2043)
    })
    .await;

    std::fs::remove_file(path.join("..data")).unwrap();
    until("the loss is told", || async { error().contains("tls.crt") }).await;
    assert_eq!(year(&serving), Some(2043));
    stop.cancel();
    following.await.unwrap();
}
