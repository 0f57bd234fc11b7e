//! What others break, and rights that are missing.

use super::*;

/// Lets all look until nothing changes, with as much time as a renewal takes.
fn settle(world: &World, replicas: &mut [Replica]) {
    for _ in 0..8 {
        for replica in &mut *replicas {
            let _ = replica.look();
        }
        world.pass(Duration::from_secs(10));
    }
}

fn three() -> (World, Vec<Replica>) {
    let world = World::new();
    let mut replicas: Vec<_> = (0..3).map(|_| Replica::new(&world)).collect();
    settle(&world, &mut replicas);
    (world, replicas)
}

fn trusted(world: &World, at: usize) -> Bundle {
    Bundle::read(&world.state().configurations[at].bundle)
}

#[test]
fn a_first_installation_serves_at_the_second_look() {
    let world = World::new();
    let mut replica = Replica::new(&world);
    assert_eq!(replica.look(), Ok(Again::Soon));
    assert!(!replica.serving.is_ready());
    assert_eq!(replica.look(), Ok(Again::Soon));
    assert!(replica.serving.is_ready());
    assert_eq!(replica.look(), Ok(Again::Later));
    world.assert_accepted(&replica.served().unwrap());
    assert_eq!(world.state().configuration_writes, 2, "one each");
}

#[test]
fn a_deleted_secret_is_made_anew_and_what_was_served_stays_trusted() {
    let (world, mut replicas) = three();
    let before = replicas[0].served().unwrap();
    world.state().secret = None;
    // A new replica, which remembers nothing, is the first to see it.
    replicas.push(Replica::new(&world));
    replicas.rotate_right(1);
    settle(&world, &mut replicas);
    let after = replicas[0].served().unwrap();
    assert_ne!(after, before);
    for replica in &replicas {
        assert_eq!(replica.served().unwrap(), after);
    }
    for at in 0..2 {
        assert!(before.is_trusted_by(&trusted(&world, at)));
        assert!(after.is_trusted_by(&trusted(&world, at)));
    }
    // It is forgotten some days after its end.
    for _ in 0..60 {
        world.pass(Duration::from_secs(DAY));
        settle(&world, &mut replicas);
    }
    assert!(!before.is_trusted_by(&trusted(&world, 0)));
}

#[test]
fn an_emptied_or_foreign_bundle_is_put_right_by_the_next_look() {
    let (world, mut replicas) = three();
    let right = trusted(&world, 0);
    let foreign = {
        let other = World::new();
        settle(&other, &mut [Replica::new(&other)]);
        other.state().configurations[0].bundle.clone()
    };
    for wrong in [Vec::new(), b"no certificate".to_vec(), vec![0xff; 400_000]] {
        world.state().put_bundle(1, wrong);
        let _ = replicas[0].look();
        assert_eq!(trusted(&world, 1), right);
    }
    // The authority of another installation is one of ours by name: it is kept until it ends, like
    // one that an older state of the configuration brings back.
    world.state().put_bundle(1, foreign);
    settle(&world, &mut replicas);
    for at in 0..2 {
        assert!(
            replicas[0]
                .served()
                .unwrap()
                .is_trusted_by(&trusted(&world, at))
        );
    }
}

#[test]
fn an_authority_of_others_is_kept_until_there_is_a_certificate_to_follow_and_then_removed() {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let foreign = params.self_signed(&key).unwrap().pem();

    // Replicas of before serve a certificate that it signed: theirs must go on being trusted.
    let world = World::new();
    world.state().put_bundle(0, foreign.clone().into_bytes());
    let mut replica = Replica::new(&world);
    let _ = replica.look();
    assert_eq!(trusted(&world, 0).len(), 2);
    assert_eq!(trusted(&world, 1).len(), 2);
    let _ = replica.look();
    assert!(
        !replica.serving.is_ready(),
        "API servers may not have heard yet"
    );
    world.pass(Pace::default().settle);
    let _ = replica.look();
    assert!(replica.serving.is_ready());
    settle(&world, std::slice::from_mut(&mut replica));
    assert_eq!(trusted(&world, 0).len(), 2, "pods of before may still run");
    world.pass(Duration::from_secs(21 * DAY));
    settle(&world, std::slice::from_mut(&mut replica));
    let bundle = trusted(&world, 0);
    assert!(bundle.len() == 2 && bundle.iter().all(Authority::is_made_here));

    let (world, mut replicas) = three();
    world.state().put_bundle(0, foreign.into_bytes());
    settle(&world, &mut replicas);
    assert_eq!(trusted(&world, 0), world.held().trusted);
    assert_eq!(trusted(&world, 0).len(), 1);
}

#[test]
fn while_the_configurations_have_lost_the_current_one_what_they_trust_is_served_on() {
    let (world, mut replicas) = three();
    let before = replicas[0].served().unwrap();
    let old = world.state().configurations[0].bundle.clone();
    // The first makes the next certificate and takes it into use; the others sleep meanwhile.
    world.pass(Duration::from_secs(21 * DAY));
    settle(&world, &mut replicas[..1]);
    assert_ne!(replicas[0].served().unwrap(), before);
    // A tool puts back what it knows. The sleeper must not take over what is trusted no longer.
    world.state().refused = vec!["write configurations"];
    for at in 0..2 {
        world.state().put_bundle(at, old.clone());
    }
    assert!(replicas[1].look().is_err());
    assert_eq!(replicas[1].served().unwrap(), before);
    world.state().refused.clear();
    settle(&world, &mut replicas);
    assert_ne!(replicas[1].served().unwrap(), before);
    assert_eq!(replicas[1].served(), replicas[0].served());
}

#[test]
fn without_the_right_to_write_the_secret_what_is_there_is_served_and_bundles_are_kept() {
    let (world, mut replicas) = three();
    world.pass(Duration::from_secs(22 * DAY));
    world.state().refused = vec!["write secret"];
    world.state().put_bundle(0, Vec::new());
    let mut fresh = Replica::new(&world);
    let refused = fresh.look().unwrap_err();
    assert_eq!(refused, "write secret: forbidden");
    assert_eq!(fresh.served(), replicas[0].served());
    assert_eq!(trusted(&world, 0), trusted(&world, 1));
    // As soon as it may, it renews.
    world.state().refused.clear();
    replicas.push(fresh);
    settle(&world, &mut replicas);
    assert!(replicas.iter().all(|replica| {
        let left = replica
            .served()
            .unwrap()
            .not_after()
            .duration_since(world.now());
        left > SignedDuration::from_hours(29 * 24)
    }));
}

#[test]
fn without_the_right_to_read_or_write_configurations_nothing_new_is_served() {
    for refused in ["read configurations", "write configurations"] {
        let (world, mut replicas) = three();
        let before = replicas[0].served().unwrap();
        world.state().refused = vec![refused];
        world.pass(Duration::from_secs(22 * DAY));
        settle(&world, &mut replicas);
        assert!(replicas[0].look().unwrap_err().contains(refused));
        for replica in &replicas {
            assert_eq!(replica.served().unwrap(), before);
        }
        let fresh = World::new();
        fresh.state().refused = vec![refused];
        let mut replica = Replica::new(&fresh);
        settle(&fresh, std::slice::from_mut(&mut replica));
        assert!(!replica.serving.is_ready());
    }
}

#[test]
fn of_many_secrets_deleted_in_a_row_the_bundle_keeps_a_bounded_number() {
    let (world, mut replicas) = three();
    for _ in 0..20 {
        world.state().secret = None;
        settle(&world, &mut replicas);
        let held = world.held();
        assert!(held.trusted.len() <= super::super::bundle::MOST);
        assert!(
            held.current
                .is_some_and(|current| current.is_trusted_by(&trusted(&world, 0)))
        );
    }
    assert_eq!(trusted(&world, 0), trusted(&world, 1));
}

#[test]
fn two_versions_that_are_called_by_different_names_agree_on_one_certificate_for_both() {
    let (world, mut replicas) = three();
    let other = "other.imageref-system.svc".to_owned();
    for replica in &mut replicas[..2] {
        replica.idle.as_mut().unwrap().names = vec![other.clone()];
    }
    settle(&world, &mut replicas);
    let writes = world.state().secret_writes;
    settle(&world, &mut replicas);
    assert_eq!(world.state().secret_writes, writes);
    let served = replicas[2].served().unwrap();
    assert!(served.is_for(&[NAME.to_owned(), other]));
}
