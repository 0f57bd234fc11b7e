//! Months: renewals come in time, and no clock makes replicas work against each other.

use super::*;

/// Replicas with these clocks (hours beside the true time) look every few hours for so many days.
/// Gives how often the Secret was written.
fn live(world: &World, clocks: &[i64], days: u64) -> u32 {
    let mut replicas: Vec<_> = clocks.iter().map(|_| Replica::new(world)).collect();
    for (replica, hours) in replicas.iter_mut().zip(clocks) {
        replica.skew = SignedDuration::from_hours(*hours);
    }
    let mut warm = false;
    for _ in 0..days * 2 {
        for replica in &mut replicas {
            replica.look().unwrap();
        }
        let served: Vec<_> = replicas.iter().filter_map(Replica::served).collect();
        for pair in &served {
            world.assert_accepted(pair);
            // Half of the reserve, and two days for a clock that is behind.
            let reserve = pair.not_after().duration_since(world.now());
            assert!(
                reserve > SignedDuration::from_hours(5 * 24),
                "{pair:?} at {}",
                world.now()
            );
        }
        warm |= served.len() == replicas.len();
        assert!(!warm || served.len() == replicas.len());
        world.pass(Duration::from_secs(12 * HOUR));
    }
    assert!(warm);
    world.state().secret_writes
}

#[test]
fn a_certificate_is_renewed_long_before_its_end_and_written_twice_for_it() {
    let world = World::new();
    let writes = live(&world, &[0, 0, 0], 400);
    // One made and taken into use every 20 days, and the writes that forget what has ended.
    let renewals = 400 / 20;
    assert!(writes >= 2 * renewals - 2, "{writes}");
    assert!(writes <= 3 * renewals + 3, "{writes}");
    let held = world.held();
    assert!((1..=3).contains(&held.trusted.len()), "{held:?}");
    // Each configuration follows the bundle, and is written for nothing else.
    assert!(world.state().configuration_writes <= 2 * writes);
}

#[test]
fn a_clock_two_days_ahead_or_behind_makes_no_replica_renew_against_the_others() {
    let calm = live(&World::new(), &[0, 0, 0], 200);
    for clocks in [[48, 0, 0], [0, 48, -48], [-48, -48, 0]] {
        let writes = live(&World::new(), &clocks, 200);
        assert!(
            writes <= calm + 6,
            "{clocks:?}: {writes}, and {calm} with equal clocks"
        );
    }
}

#[test]
fn a_clock_that_is_off_by_a_quarter_of_a_year_makes_no_replica_renew_against_the_others() {
    let calm = live(&World::new(), &[0, 0], 200);
    // The one ahead makes them all: they end later than the others would have them.
    let writes = live(&World::new(), &[90 * 24, 0], 200);
    assert!(writes <= calm + 6, "{writes}, and {calm} with equal clocks");
    let writes = live(&World::new(), &[0, -90 * 24], 200);
    assert!(writes <= 2 * calm, "{writes}, and {calm} with equal clocks");
}

#[test]
fn a_cluster_that_was_off_for_a_year_serves_again_within_two_looks_and_a_while() {
    let world = World::new();
    live(&world, &[0], 30);
    world.pass(Duration::from_secs(365 * DAY));
    let mut replica = Replica::new(&world);
    replica.look().unwrap();
    for _ in 0..3 {
        world.pass(Duration::from_secs(1));
        replica.look().unwrap();
    }
    world.pass(Pace::default().settle);
    replica.look().unwrap();
    let served = replica.served().unwrap();
    assert!(served.not_after() > world.now());
    world.assert_accepted(&served);
}
