//! What counts of what is read, and what is made.

use super::super::make::{Made, make};
use super::super::pair::BadPair;
use super::super::plan::{Around, plan};
use super::*;
use proptest::prelude::*;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{ServerName, UnixTime};
use std::sync::OnceLock;

fn made() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    let lifetime = Pace::default().lifetime;
    MADE.get_or_init(|| make(&[NAME.into()], begin(), lifetime).unwrap())
}

fn bundle(of: &Made) -> Bundle {
    let mut bundle = Bundle::default();
    bundle.add(of.authority.clone());
    bundle
}

/// What a TLS client says that trusts this bundle, calls this name, and has this time.
fn client_accepts(pair: &Pair, trusted: &Bundle, name: &str, time: Timestamp) -> bool {
    let mut roots = rustls::RootCertStore::empty();
    for authority in trusted.iter() {
        roots.add(authority.der().clone()).unwrap();
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let Ok(verifier) = WebPkiServerVerifier::builder_with_provider(roots.into(), provider).build()
    else {
        return false;
    };
    let time = Duration::from_secs(time.as_second().try_into().unwrap());
    let name = ServerName::try_from(name).unwrap();
    let certificate = &pair.certified().cert[0];
    let time = UnixTime::since_unix_epoch(time);
    verifier
        .verify_server_cert(certificate, &[], &name, &[], time)
        .is_ok()
}

#[test]
fn a_client_accepts_what_is_made_from_a_year_before_to_its_end_and_for_its_names_only() {
    let days = |days: i64| begin() + SignedDuration::from_hours(24 * days);
    let names = [NAME.to_owned(), "127.0.0.1".into(), "::1".into()];
    let made = make(&names, begin(), Pace::default().lifetime).unwrap();
    let (pair, trusted) = (&made.pair, bundle(&made));
    for name in &names {
        assert!(client_accepts(pair, &trusted, name, begin()), "{name}");
    }
    assert!(pair.is_for(&names));
    assert!(!client_accepts(
        pair,
        &trusted,
        "other.imageref-system.svc",
        begin()
    ));
    for (at, accepted) in [(-366, false), (-364, true), (29, true), (31, false)] {
        assert_eq!(
            client_accepts(pair, &trusted, NAME, days(at)),
            accepted,
            "day {at}"
        );
    }
    assert_eq!(pair.not_after(), days(30));
    assert_eq!(made.authority.not_after(), days(30));
    let other = make(&names, begin(), Pace::default().lifetime).unwrap();
    assert!(!client_accepts(pair, &bundle(&other), NAME, begin()));
    assert!(!pair.is_trusted_by(&bundle(&other)));
    assert!(pair.is_trusted_by(&trusted));
}

#[test]
fn a_clock_at_the_beginning_or_end_of_time_makes_a_certificate_all_the_same() {
    for now in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
        let made = make(&[NAME.into()], now, Pace::default().lifetime).unwrap();
        assert!(made.pair.is_trusted_by(&bundle(&made)), "{now}");
    }
}

#[test]
fn a_name_that_cannot_be_in_a_certificate_is_an_error() {
    assert!(make(&["straße".into()], begin(), Pace::default().lifetime).is_err());
}

#[test]
fn whoever_writes_against_us_all_the_time_is_answered_twenty_times_a_minute_at_most() {
    let (mut soon, mut passed, mut looks) = (0, Duration::ZERO, 0);
    while passed < Duration::from_secs(60) {
        looks += 1;
        passed += super::super::wait(Again::Soon, &mut soon, Pace::default().every);
    }
    assert!((10..=20).contains(&looks), "{looks}");
}

#[test]
fn no_key_shows_in_a_debug_form() {
    let held = Held {
        current: Some(
            Pair::read(made().pair.chain().as_bytes(), made().pair.key().as_bytes())
                .unwrap()
                .into(),
        ),
        next: None,
        trusted: bundle(made()),
    };
    let serving = Serving::default();
    serving.serve(held.current.as_ref().unwrap());
    let key = made().pair.key().lines().nth(1).unwrap();
    for text in [format!("{held:?}"), format!("{serving:?}")] {
        assert!(text.contains(NAME), "{text}");
        assert!(!text.contains(key) && !text.contains("PRIVATE"), "{text}");
    }
}

#[test]
fn what_the_secret_holds_is_read_as_it_was_written() {
    let data = World::new();
    let mut replica = Replica::new(&data);
    let _ = replica.look();
    for _ in 0..2 {
        let held = data.held();
        assert_eq!(Held::read(&held.data()), held);
        assert_eq!(data.state().secret.as_ref().unwrap().1, held.data());
        let _ = replica.look();
    }
    assert!(data.held().current.is_some() && data.held().next.is_none());
}

#[test]
fn what_is_not_whole_or_does_not_fit_is_not_there() {
    let other = make(&[NAME.into()], begin(), Pace::default().lifetime).unwrap();
    let good = Held {
        current: Some(
            Pair::read(made().pair.chain().as_bytes(), made().pair.key().as_bytes())
                .unwrap()
                .into(),
        ),
        next: None,
        trusted: bundle(made()),
    };
    let good = good.data();
    assert!(Held::read(&good).current.is_some());
    let cases: [(&str, &str, Vec<u8>); 9] = [
        ("no bundle", "ca.crt", Vec::new()),
        (
            "another's bundle",
            "ca.crt",
            bundle(&other).pem().into_bytes(),
        ),
        ("a bundle that is no text", "ca.crt", vec![0xff; 100]),
        ("a key for a bundle", "ca.crt", good["tls.key"].clone()),
        (
            "another's key",
            "tls.key",
            other.pair.key().as_bytes().to_vec(),
        ),
        (
            "a certificate for a key",
            "tls.key",
            good["tls.crt"].clone(),
        ),
        ("an endless key", "tls.key", vec![b'-'; 1 << 20]),
        (
            "another's certificate",
            "tls.crt",
            other.pair.chain().as_bytes().to_vec(),
        ),
        (
            "half a certificate",
            "tls.crt",
            good["tls.crt"][..300].to_vec(),
        ),
    ];
    for (what, key, value) in cases {
        let mut bad = good.clone();
        bad.insert(key.into(), value);
        assert!(Held::read(&bad).current.is_none(), "{what}");
    }
    for key in ["ca.crt", "tls.crt", "tls.key"] {
        let mut bad = good.clone();
        bad.remove(key);
        assert!(Held::read(&bad).current.is_none(), "no {key}");
    }
}

#[test]
fn two_texts_that_are_no_pair_are_told_apart() {
    let other = make(&[NAME.into()], begin(), Pace::default().lifetime).unwrap();
    let (chain, key) = (made().pair.chain().as_bytes(), made().pair.key().as_bytes());
    let read = |chain: &[u8], key: &[u8]| Pair::read(chain, key).unwrap_err();
    assert_eq!(read(b"", key), BadPair::NoCertificate);
    assert_eq!(read(&chain[..200], key), BadPair::NoCertificate);
    assert_eq!(read(chain, b""), BadPair::NoKey);
    assert_eq!(read(chain, &key[..80]), BadPair::NoKey);
    assert_eq!(read(chain, other.pair.key().as_bytes()), BadPair::Mismatch);
    assert_eq!(read(chain, &vec![b' '; 70_000]), BadPair::TooLong);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]
    #[test]
    fn no_secret_stops_a_plan_and_a_plan_has_nothing_to_add_to_itself(
        texts in prop::array::uniform5(prop_oneof![
            Just(None),
            prop::collection::vec(any::<u8>(), 0..80).prop_map(Some),
            (0..3_usize, 0..900_usize).prop_map(|(which, length)| {
                let made = made();
                let text = [made.authority_pem(), made.pair.chain().into(), made.pair.key().into()];
                let text = text[which].as_bytes();
                Some(text[..length.min(text.len())].to_vec())
            }),
        ]),
        hours in -2000..2000_i64,
    ) {
        let keys = KEYS.into_iter().map(str::to_owned);
        let data: Data = keys.zip(texts).filter_map(|(key, text)| Some((key, text?))).collect();
        let pace = Pace::default();
        let now = begin() + SignedDuration::from_hours(hours);
        let names = [NAME.to_owned()];
        let around = Around { now, trusted: &[], trusts_next_for: None, names: &names, pace: &pace };
        let planned = plan(Held::read(&data), &around, |names| make(names, now, pace.lifetime)).unwrap();
        prop_assert!(planned.current.is_some() || planned.next.is_some());
        prop_assert_eq!(&Held::read(&planned.data()), &planned);
        let nothing = |_: &[String]| panic!("there is one already");
        prop_assert_eq!(plan(planned.clone(), &around, nothing).unwrap(), planned);
    }
}

impl Made {
    fn authority_pem(&self) -> String {
        bundle(self).pem()
    }
}
