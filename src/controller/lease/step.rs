//! What a candidate for the lease does next.
//!
//! Owns the decision. Must not know how a lease is read or written, nor any clock but the caller's.
//! The invariant that would break first: a lease of another is taken only after it was seen
//! unchanged, on our own clock, for as long as its holder may rely on it. The clocks of two
//! processes are never compared.

use std::time::{Duration, Instant};

/// How long things take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// How long a lease holds after it was written.
    pub duration: Duration,
    /// How long its holder relies on it: less, for clocks that run at different speeds, and for
    /// what is on its way to the API server.
    pub claim: Duration,
    /// How often its holder writes it.
    pub renew: Duration,
    /// How often others look at it, and how soon its holder tries again after a failure.
    pub look: Duration,
    /// How long one call may take.
    pub call: Duration,
}

impl Times {
    /// Another takes over at most 16 s after the last sign of a holder that was killed, and an API
    /// server may be away for 9 s without a change of holder.
    pub const DEFAULT: Self = Self {
        duration: Duration::from_secs(15),
        claim: Duration::from_secs(12),
        renew: Duration::from_secs(3),
        look: Duration::from_secs(1),
        call: Duration::from_secs(3),
    };
}

/// A lease as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Its resource version.
    pub version: String,
    /// Who holds it; empty or absent: nobody.
    pub holder: Option<String>,
    /// How long it holds, as its holder wrote it.
    pub duration: Duration,
    /// When this version was first seen, on our clock.
    pub since: Instant,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Look again then.
    Wait(Duration),
    /// Write it as ours: it is nobody's, or its holder has been silent for too long.
    Acquire,
    /// Write it again: it is ours.
    Renew,
}

/// What `me` does at `now`; `None` where there is no lease.
pub fn step(now: Instant, me: &str, observed: Option<&Observed>, times: &Times) -> Step {
    let Some(observed) = observed else {
        return Step::Acquire;
    };
    match observed.holder.as_deref() {
        None | Some("") => Step::Acquire,
        Some(holder) if holder == me => Step::Renew,
        Some(_) => {
            let silent = now.saturating_duration_since(observed.since);
            match observed.duration.checked_sub(silent) {
                Some(left) if !left.is_zero() => Step::Wait(left.min(times.look)),
                _ => Step::Acquire,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seen(holder: &str, since: Instant) -> Observed {
        Observed {
            version: "1".into(),
            holder: Some(holder.into()),
            duration: Times::DEFAULT.duration,
            since,
        }
    }

    #[test]
    fn a_lease_of_nobody_is_taken_ours_is_renewed_and_anothers_is_waited_for() {
        let (start, times) = (Instant::now(), Times::DEFAULT);
        let at = |seconds| start + Duration::from_secs(seconds);
        let step = |now, observed: Option<&Observed>| step(now, "me", observed, &times);
        assert_eq!(step(start, None), Step::Acquire);
        assert_eq!(step(start, Some(&seen("", start))), Step::Acquire);
        assert_eq!(step(start, Some(&seen("me", start))), Step::Renew);
        let other = seen("other", start);
        assert_eq!(step(start, Some(&other)), Step::Wait(times.look));
        let soon = at(14) + Duration::from_millis(700);
        let left = Step::Wait(Duration::from_millis(300));
        assert_eq!(step(soon, Some(&other)), left);
        assert_eq!(step(at(15), Some(&other)), Step::Acquire);
        assert_eq!(step(at(900), Some(&other)), Step::Acquire);
    }

    /// The API server as far as leases go: one object, written only over the version that was read.
    #[derive(Default)]
    struct Server {
        version: u64,
        holder: Option<usize>,
    }

    /// A candidate; its clock runs `drift` thousandths fast or slow.
    struct Candidate {
        me: usize,
        drift: i64,
        observed: Option<Observed>,
        deadline: Option<Instant>,
    }

    impl Candidate {
        fn clock(&self, start: Instant, now: u64) -> Instant {
            let skewed = i128::from(now) * i128::from(1000 + self.drift) / 1000;
            start + Duration::from_millis(u64::try_from(skewed).unwrap())
        }

        fn holds(&self, start: Instant, now: u64) -> bool {
            let now = self.clock(start, now);
            self.deadline.is_some_and(|deadline| now < deadline)
        }
    }

    #[derive(Clone, Debug)]
    struct Turn {
        who: usize,
        /// How long nothing happens before it, in milliseconds: a frozen process, a lost packet.
        pause: u64,
        /// How long its request is on the way there, and its answer on the way back.
        there: u64,
        back: u64,
        lost: bool,
    }

    fn turn() -> impl Strategy<Value = Turn> {
        // Much happens when a lease is about to end.
        let pause = prop_oneof![8 => 0_u64..2000, 3 => 14_300_u64..15_400, 1 => 5000_u64..40_000];
        let lag = || prop_oneof![8 => 0_u64..50, 1 => 0_u64..3000];
        (0_usize..3, pause, lag(), lag(), prop::bool::weighted(0.1)).prop_map(
            |(who, pause, there, back, lost)| Turn {
                who,
                pause,
                there,
                back,
                lost,
            },
        )
    }

    proptest! {
        #[test]
        fn no_two_candidates_ever_hold_it_whatever_is_late_lost_or_frozen(
            turns in prop::collection::vec(turn(), 1..400),
            drifts in prop::array::uniform3(prop::sample::select(vec![-20_i64, 0, 20])),
        ) {
            let (start, times) = (Instant::now(), Times::DEFAULT);
            let mut server = Server::default();
            let mut now = 1_u64;
            let mut all: Vec<_> = (0..3)
                .map(|me| Candidate { me, drift: drifts[me], observed: None, deadline: None })
                .collect();
            for turn in turns {
                now += turn.pause;
                let one = &mut all[turn.who];
                let name = |n: usize| n.to_string();
                let sent = one.clock(start, now);
                let read = |server: &Server, at: Instant, before: Option<&Observed>| Observed {
                    version: server.version.to_string(),
                    holder: server.holder.map(name),
                    duration: times.duration,
                    since: before
                        .filter(|b| b.version == server.version.to_string())
                        .map_or(at, |b| b.since),
                };
                let step = match &one.observed {
                    // Nothing was read yet.
                    None => Step::Wait(Duration::ZERO),
                    some => step(sent, &name(one.me), some.as_ref(), &times),
                };
                now += turn.there;
                let written = match (step, &one.observed) {
                    (Step::Acquire | Step::Renew, Some(seen))
                        if seen.version == server.version.to_string() =>
                    {
                        server.version += 1;
                        server.holder = Some(one.me);
                        true
                    }
                    _ => false,
                };
                now += turn.back;
                let here = one.clock(start, now);
                if !turn.lost {
                    if written {
                        one.deadline = Some(sent + times.claim);
                    }
                    one.observed = Some(read(&server, here, one.observed.as_ref()));
                }
                let holding = all.iter().filter(|one| one.holds(start, now)).count();
                prop_assert!(holding <= 1, "{holding} hold it at {now} ms");
            }
        }
    }
}
