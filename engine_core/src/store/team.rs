//! Work in pieces, done by one thread or by two; what comes of it is taken in order, so that nobody sees how many there were.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::error::{Error, Result};

/// Pieces that are done and wait for one before them, at most, on either side: on a busy machine the other thread may be away for long.
const AHEAD: usize = 32;

/// Who works. The caller's thread does whatever the other does not.
pub(super) struct Team<'a> {
    /// Asked before each piece that a second thread would take: once it may not, it leaves, and the caller's goes on alone.
    pub(super) helps: &'a (dyn Fn() -> bool + Sync),
    /// Called on the caller's thread between pieces of a few milliseconds: it may wait, or end the work by an error.
    pub(super) rest: &'a mut dyn FnMut() -> Result<()>,
}

/// Does a piece. Who panics has failed at it: what the others did is dropped with it.
fn guarded<I, T>(work: &impl Fn(I) -> Result<T>, piece: I) -> Result<T> {
    catch_unwind(AssertUnwindSafe(|| work(piece))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(Error::internal(format!(
            "sealing panicked: {}",
            text.unwrap_or_default()
        )))
    })
}

impl Team<'_> {
    /// Calls `work` for each piece, and `take` for what comes of it, in order and on the caller's thread. The first error of
    /// either, or of a rest, ends it.
    pub(super) fn each<I: Send, T: Send>(
        &mut self,
        pieces: Vec<I>,
        work: impl Fn(I) -> Result<T> + Sync,
        mut take: impl FnMut(T) -> Result<()>,
    ) -> Result<()> {
        if pieces.len() < 2 || !(self.helps)() {
            return pieces.into_iter().try_for_each(|piece| {
                take(guarded(&work, piece)?)?;
                (self.rest)()
            });
        }
        let (all, helps) = (pieces.len(), self.helps);
        let pieces = Mutex::new(pieces.into_iter().enumerate());
        let next = || pieces.lock().unwrap_or_else(PoisonError::into_inner).next();
        thread::scope(|scope| {
            // Both ends go with this closure, so that nobody waits for who has left.
            let (sender, receiver) = sync_channel(AHEAD);
            let (next, work) = (&next, &work);
            let help = move || {
                while helps()
                    && let Some((number, piece)) = next()
                    && sender.send((number, guarded(work, piece))).is_ok()
                {}
            };
            // Where there is no second thread to be had, one does it all.
            let _ = thread::Builder::new()
                .name("sealer's second".to_owned())
                .spawn_scoped(scope, help);
            let (mut done, mut taken) = (BTreeMap::new(), 0);
            while taken < all {
                let own = if done.len() < AHEAD { next() } else { None };
                if let Some((number, piece)) = own {
                    done.insert(number, guarded(work, piece));
                } else if !done.contains_key(&taken) {
                    let other = receiver.recv();
                    let (number, outcome) = other.map_err(|_| Error::internal("a piece of a seal is lost"))?;
                    done.insert(number, outcome);
                }
                done.extend(receiver.try_iter());
                while let Some(outcome) = done.remove(&taken) {
                    take(outcome?)?;
                    taken += 1;
                }
                (self.rest)()?;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread::ThreadId;

    use super::*;
    use crate::error::Kind;

    /// Squares of 0 to 99 by a team, and the threads that worked.
    fn squares(
        helps: &(dyn Fn() -> bool + Sync),
        before: impl Fn(u64) + Sync,
    ) -> (Result<Vec<u64>>, HashSet<ThreadId>) {
        let (mut taken, threads) = (Vec::new(), Mutex::new(HashSet::new()));
        let mut team = Team {
            helps,
            rest: &mut || Ok(()),
        };
        let outcome = team.each(
            (0..100).collect(),
            |n: u64| {
                before(n);
                threads.lock().unwrap().insert(thread::current().id());
                Ok(n * n)
            },
            |square| {
                taken.push(square);
                Ok(())
            },
        );
        (outcome.map(|()| taken), threads.into_inner().unwrap())
    }

    fn expected() -> Vec<u64> {
        (0..100).map(|n| n * n).collect()
    }

    #[test]
    fn two_threads_work_and_what_comes_of_it_is_in_order() {
        // Neither of the first two pieces is done before the other is begun.
        let both = Barrier::new(2);
        let (found, threads) = squares(&|| true, |n| {
            if n < 2 {
                both.wait();
            }
        });
        assert_eq!((found.unwrap(), threads.len()), (expected(), 2));
    }

    #[test]
    fn one_thread_works_where_no_other_may_help() {
        let (found, threads) = squares(&|| false, |_| {});
        assert_eq!(
            (found.unwrap(), threads),
            (expected(), HashSet::from([thread::current().id()]))
        );
    }

    #[test]
    fn the_second_thread_leaves_when_it_may_help_no_more() {
        // It is asked once before it is there and once before its one piece, in which the caller's does what it can.
        let (asked, caller, helped) = (AtomicUsize::new(0), thread::current().id(), AtomicUsize::new(0));
        let (both, helps) = (Barrier::new(2), || asked.fetch_add(1, Ordering::Relaxed) < 2);
        let (found, threads) = squares(&helps, |n| {
            if n < 2 {
                both.wait();
            }
            helped.fetch_add(usize::from(thread::current().id() != caller), Ordering::Relaxed);
        });
        assert_eq!((found.unwrap(), threads.len()), (expected(), 2));
        assert_eq!(helped.into_inner(), 1);
    }

    #[test]
    fn a_panic_of_either_thread_is_an_error_and_nothing_behind_it_is_taken() {
        for of_caller in [true, false] {
            let (caller, both) = (thread::current().id(), Barrier::new(2));
            let (found, _) = squares(&|| true, |n| {
                if n < 2 {
                    both.wait();
                    assert!((thread::current().id() == caller) != of_caller, "no reason");
                }
            });
            let error = found.unwrap_err();
            assert_eq!(error.kind(), Kind::Internal);
            assert!(
                error.to_string().contains("no reason") || format!("{error:?}").contains("no reason"),
                "{error:?}"
            );
        }
    }

    #[test]
    fn an_error_of_a_piece_of_taking_or_of_a_rest_ends_the_work() {
        for (at, what) in [(0, "piece"), (1, "taking"), (2, "rest")] {
            let (fail, mut taken) = (
                |is: usize| if is == at { Err(Error::internal(what)) } else { Ok(()) },
                0,
            );
            let mut team = Team {
                helps: &|| true,
                rest: &mut || fail(2),
            };
            let outcome = team.each(
                (0..1_000).collect(),
                |n: u64| if n == 3 { fail(0) } else { Ok(()) },
                |()| {
                    taken += 1;
                    fail(1)
                },
            );
            assert!(outcome.is_err() && taken <= AHEAD * 2 + 2, "{what} {taken}");
        }
    }
}
