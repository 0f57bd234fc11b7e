//! Any order of steps: nobody ever serves what a client may refuse.

use super::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Act {
    /// A replica gets on by so many steps; a look has about ten.
    Step(usize, u8),
    /// Seconds pass.
    Pass(u64),
    Crash(usize),
    /// A replica's clock is set: hours beside the true time.
    Clock(usize, i64),
    DeleteSecret,
    /// A key of the Secret is lost, or filled with what does not belong there.
    Spoil(usize, u8),
    /// The Secret is as it was so many writes ago.
    Restore(usize),
}

fn act() -> impl Strategy<Value = Act> {
    let replica = 0..3_usize;
    prop_oneof![
        40 => (replica.clone(), 1..14_u8).prop_map(|(replica, steps)| Act::Step(replica, steps)),
        12 => (0..45_u64).prop_map(Act::Pass),
        3 => (0..2 * HOUR).prop_map(Act::Pass),
        4 => (0..8 * DAY).prop_map(Act::Pass),
        3 => replica.clone().prop_map(Act::Crash),
        1 => (replica, -48..=48_i64).prop_map(|(replica, hours)| Act::Clock(replica, hours)),
        1 => Just(Act::DeleteSecret),
        1 => (0..KEYS.len(), any::<u8>()).prop_map(|(key, how)| Act::Spoil(key, how)),
        1 => (1..6_usize).prop_map(Act::Restore),
    ]
}

fn spoil(world: &World, key: usize, how: u8) {
    let mut state = world.state();
    let Some((_, mut data)) = state.secret.clone() else {
        return;
    };
    let key = KEYS[key].to_owned();
    let other = KEYS[usize::from(how) % KEYS.len()];
    match how % 4 {
        0 => drop(data.remove(&key)),
        1 => drop(data.insert(key, vec![how; 40])),
        2 => drop(data.get_mut(&key).map(|text| text.truncate(text.len() / 2))),
        _ => {
            let text = data.get(other).cloned().unwrap_or_default();
            data.insert(key, text);
        }
    }
    state.put_secret(data);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn no_replica_ever_serves_what_an_api_server_may_not_trust(
        clocks in prop::array::uniform3(-48..=48_i64),
        acts in prop::collection::vec(act(), 40..300),
    ) {
        let world = World::new();
        let mut replicas = clocks.map(|hours| {
            let mut replica = Replica::new(&world);
            replica.skew = SignedDuration::from_hours(hours);
            replica
        });
        let mut past: Vec<Data> = Vec::new();
        for act in acts {
            match act {
                Act::Step(replica, steps) => {
                    for _ in 0..steps {
                        replicas[replica].step();
                    }
                    // API servers still go by what was replaced in between.
                    for pair in replicas.iter().filter_map(Replica::served) {
                        world.assert_accepted(&pair);
                    }
                }
                Act::Pass(seconds) => world.pass(Duration::from_secs(seconds)),
                Act::Crash(replica) => replicas[replica].crash(),
                Act::Clock(replica, hours) => {
                    replicas[replica].skew = SignedDuration::from_hours(hours);
                }
                Act::DeleteSecret => world.state().secret = None,
                Act::Spoil(key, how) => spoil(&world, key, how),
                Act::Restore(back) => if let Some(at) = past.len().checked_sub(back) {
                    let data = past[at].clone();
                    world.state().put_secret(data);
                },
            }
            let state = world.state();
            if let Some((_, data)) = &state.secret && past.last() != Some(data) {
                past.push(data.clone());
            }
        }
        // Whatever happened: left alone, all come to serve the same, and soon.
        for _ in 0..12 {
            world.pass(Duration::from_secs(10));
            for replica in &mut replicas {
                while replica.look.is_some() {
                    replica.step();
                }
                let _ = replica.look();
            }
        }
        let [first, others @ ..] = replicas.map(|replica| replica.served().expect("one is served"));
        prop_assert!(others.iter().all(|other| *other == first));
        prop_assert!(first.not_after() > world.now());
        world.assert_accepted(&first);
    }
}
