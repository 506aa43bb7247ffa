use std::sync::{Arc, Mutex};

use super::{Answer, Dispatch, Finish, Lanes, Place, Slot, WriterKey};
use crate::error::{Error, Kind, Result};
use crate::store::NamespaceId;
use crate::wire::v1;

/// A committer that keeps what it is sent, and those who were told something.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn note(&self, what: String) {
        self.0.lock().unwrap().push(what);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    fn finish(&self, name: &'static str) -> Finish {
        let seen = self.clone();
        Box::new(move |outcome: Result<Arc<Answer>>| {
            seen.note(match outcome {
                Ok(answer) => format!("{name}: commit {}", answer.outcome.commit),
                Err(error) => format!("{name}: {}", error.reason()),
            });
        })
    }

    fn send(&self, sequence: u64) -> Dispatch {
        let seen = self.clone();
        Box::new(move || seen.note(format!("sent {sequence}")))
    }
}

fn key() -> WriterKey {
    WriterKey {
        namespace: NamespaceId(1),
        name: "w".into(),
    }
}

fn place(lanes: &Lanes, epoch: u64, sequence: u64, durable: (u64, u64)) -> Result<Place> {
    lanes.place(&key(), epoch, sequence, || Ok(durable), || Ok(()))
}

fn reserve(lanes: &Lanes, seen: &Seen, name: &'static str, sequence: u64) -> Arc<Slot> {
    match place(lanes, 1, sequence, (1, 1)) {
        Ok(Place::Next(slot)) => {
            slot.set_hash(sequence.into());
            slot.attach(None, seen.finish(name));
            slot
        }
        Ok(Place::UnderWay(_)) => panic!("{sequence} is under way"),
        Ok(Place::Old) => panic!("{sequence} is old"),
        Err(error) => panic!("{sequence}: {error}"),
    }
}

fn answer(commit: u64) -> Arc<Answer> {
    Arc::new(Answer {
        outcome: v1::WriteResponse {
            commit,
            ..v1::WriteResponse::default()
        },
        results: Vec::new(),
    })
}

#[test]
fn batches_are_sent_in_sequence_whichever_is_ready_first() {
    let (lanes, seen) = (Lanes::default(), Seen::default());
    let slots: Vec<_> = (1..=3).map(|sequence| reserve(&lanes, &seen, "a", sequence)).collect();
    lanes.ready(&slots[2], seen.send(3));
    lanes.ready(&slots[1], seen.send(2));
    assert!(seen.take().is_empty());
    lanes.ready(&slots[0], seen.send(1));
    assert_eq!(seen.take(), ["sent 1", "sent 2", "sent 3"]);
    for (slot, commit) in slots.iter().zip(5..) {
        lanes.done(slot, answer(commit));
    }
    assert_eq!(seen.take(), ["a: commit 5", "a: commit 6", "a: commit 7"]);
    assert!(lanes.lock().is_empty());
}

#[test]
fn what_is_behind_a_batch_that_fails_fails_too_and_can_be_sent_again() {
    let (lanes, seen) = (Lanes::default(), Seen::default());
    let one = reserve(&lanes, &seen, "one", 1);
    let two = reserve(&lanes, &seen, "two", 2);
    let three = reserve(&lanes, &seen, "three", 3);
    lanes.ready(&one, seen.send(1));
    lanes.ready(&three, seen.send(3));
    lanes.fail(&two, Error::invalid("MALFORMED_MESSAGE", "", ""));
    assert_eq!(seen.take(), ["sent 1", "two: MALFORMED_MESSAGE", "three: SEQUENCE_GAP"]);
    assert!(three.is_settled());
    let gap = place(&lanes, 1, 3, (1, 1)).err().unwrap();
    assert!(gap.message().contains("expected 2"), "{}", gap.message());
    let again = reserve(&lanes, &seen, "again", 2);
    // The first try of 3 comes late, and is not heard.
    lanes.ready(&three, seen.send(3));
    lanes.ready(&again, seen.send(2));
    assert_eq!(seen.take(), ["sent 2"]);
    lanes.done(&one, answer(9));
    lanes.done(&again, answer(10));
    assert_eq!(seen.take(), ["one: commit 9", "again: commit 10"]);
}

#[test]
fn a_commit_that_fails_takes_what_was_sent_behind_it_along() {
    let (lanes, seen) = (Lanes::default(), Seen::default());
    let one = reserve(&lanes, &seen, "one", 1);
    let two = reserve(&lanes, &seen, "two", 2);
    lanes.ready(&one, seen.send(1));
    lanes.ready(&two, seen.send(2));
    lanes.fail(&one, Error::new(Kind::Overloaded, "TAIL_FULL", ""));
    lanes.fail(&two, Error::new(Kind::OutOfRange, "SEQUENCE_GAP", ""));
    assert_eq!(seen.take(), ["sent 1", "sent 2", "one: TAIL_FULL", "two: SEQUENCE_GAP"]);
    assert!(lanes.lock().is_empty());
}

#[test]
fn a_committer_that_refuses_at_once_stops_the_lane() {
    let (lanes, seen) = (Arc::new(Lanes::default()), Seen::default());
    let one = reserve(&lanes, &seen, "one", 1);
    let two = reserve(&lanes, &seen, "two", 2);
    lanes.ready(&two, seen.send(2));
    let (refusing, slot) = (Arc::clone(&lanes), Arc::clone(&one));
    let refuse = move || refusing.fail(&slot, Error::new(Kind::Overloaded, "TAIL_FULL", ""));
    lanes.ready(&one, Box::new(refuse));
    assert_eq!(seen.take(), ["one: TAIL_FULL", "two: SEQUENCE_GAP"]);
    assert!(lanes.lock().is_empty());
}

#[test]
fn a_resend_shares_the_outcome_if_its_bytes_are_the_same() {
    let (lanes, seen) = (Lanes::default(), Seen::default());
    let one = reserve(&lanes, &seen, "first", 1);
    for (hash, name) in [(1, "same"), (2, "other")] {
        match place(&lanes, 1, 1, (1, 1)) {
            Ok(Place::UnderWay(slot)) => slot.attach(Some(hash), seen.finish(name)),
            _ => panic!("it is under way"),
        }
    }
    lanes.ready(&one, seen.send(1));
    lanes.done(&one, answer(5));
    one.attach(Some(1), seen.finish("late"));
    assert_eq!(
        seen.take(),
        [
            "sent 1",
            "first: commit 5",
            "same: commit 5",
            "other: SEQUENCE_REUSED",
            "late: commit 5"
        ]
    );
}

#[test]
fn sequences_and_epochs_are_judged_before_anything_is_reserved() {
    let (lanes, seen) = (Lanes::default(), Seen::default());
    assert!(matches!(place(&lanes, 2, 4, (2, 5)), Ok(Place::Old)));
    assert_eq!(place(&lanes, 2, 6, (2, 5)).err().unwrap().kind(), Kind::OutOfRange);
    assert_eq!(place(&lanes, 1, 5, (2, 5)).err().unwrap().kind(), Kind::Fenced);
    assert_eq!(place(&lanes, 3, 5, (2, 5)).err().unwrap().reason(), "WRITER_NOT_OPEN");
    let full = lanes.place(
        &key(),
        2,
        5,
        || Ok((2, 5)),
        || Err(Error::new(Kind::Overloaded, "TAIL_FULL", "")),
    );
    assert_eq!(full.err().unwrap().reason(), "TAIL_FULL");
    assert!(lanes.lock().is_empty());
    assert!(seen.take().is_empty());
}

#[test]
fn a_newer_epoch_fences_what_the_older_one_has_under_way() {
    let (lanes, seen) = (Lanes::default(), Seen::default());
    let old = reserve(&lanes, &seen, "old", 1);
    let Ok(Place::Next(new)) = place(&lanes, 2, 1, (2, 1)) else {
        panic!("it is next")
    };
    assert_eq!(seen.take(), ["old: WRITER_FENCED"]);
    lanes.ready(&old, seen.send(1));
    assert!(seen.take().is_empty());
    lanes.ready(&new, seen.send(1));
    assert_eq!(seen.take(), ["sent 1"]);
    lanes.done(&new, answer(1));
    assert!(lanes.lock().is_empty());
}
