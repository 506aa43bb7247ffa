//! Cold parts: those that are seldom read are written anew, one after another, in codecs that take less room and more time.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::Store;
use super::fault;
use super::manifest::PartHandle;
use super::part::Identity;
use super::publish::{self, Origin};
use super::rows::Rows;
use super::shared::Shared;
use super::stream::Stream;
use super::tiles::Tiles;
use crate::codec::Codecs;
use crate::error::Result;

/// How long a recode that was asked for waits where rows have to be sealed first.
const WAY: Duration = Duration::from_millis(500);
/// How often, before it is refused.
const MOST_WAYS: u32 = 120;

/// What recoding came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecodeReport {
    /// Parts that were written anew.
    pub parts: u64,
    /// Bytes of their files before.
    pub bytes_before: u64,
    /// Bytes of the files that took their place.
    pub bytes_after: u64,
}

/// The part of a stream that has become cold and is not yet written so, if there is one; those in `unreadable` stay as they are.
pub(super) fn due(stream: &Stream, now: i64, unreadable: &HashSet<Identity>) -> Option<Arc<PartHandle>> {
    let before = now.saturating_sub(stream.schema().settings.cold_after_ns?);
    let parts = stream.parts();
    let mut hot = parts.iter().filter(|part| part.codecs() == Codecs::Hot);
    hot.find(|part| part.times().1 < before && !unreadable.contains(&part.identity))
        .cloned()
}

/// Writes a part anew in the codecs of cold ones; answers the bytes of its new file. Nothing that is asked changes by it. None: the
/// stream has the part no more.
pub(super) fn recode(shared: &Arc<Shared>, stream: &Arc<Stream>, part: &Arc<PartHandle>) -> Result<Option<u64>> {
    let _turn = shared.sealer.turn.lock().unwrap_or_else(PoisonError::into_inner);
    publish::remove_unnamed(shared)?;
    if !stream.parts().iter().any(|other| Arc::ptr_eq(part, other)) {
        return Ok(None);
    }
    shared.has_room_for(part.bytes())?;
    let sources = [Rows::Part(part.open()?, Arc::clone(part))];
    let record = part.record;
    let tiles = Tiles::new([record.tile].into_iter());
    let origin = Origin {
        l0: record.l0,
        commit: record.commit,
        codecs: Codecs::Cold,
    };
    let built = publish::build(shared, stream, &sources, tiles, record.tile.1, origin, &|| false)?;
    let written = publish::write_with_rollups(shared, stream, &built, &|| false)?;
    let parts = written.iter().filter(|(_, record)| record.rollup.is_none());
    let bytes = parts.map(|(_, record)| record.bytes).sum();
    publish::publish(shared, stream, &written, &[Arc::clone(part)], |_, _| Ok(()), 0)?;
    Ok(Some(bytes))
}

/// Recodes the parts that a stream has now and whose last row is older than `before_ns`; none: however old.
fn recode_all(shared: &Arc<Shared>, stream: &Arc<Stream>, before_ns: Option<i64>) -> Result<RecodeReport> {
    let mut report = RecodeReport::default();
    let parts = stream.parts();
    let is_old = |part: &&Arc<PartHandle>| before_ns.is_none_or(|before| part.times().1 < before);
    let through = parts.iter().map(|part| part.commit()).max();
    // What a merge makes of them meanwhile is one of them as well, what is sealed meanwhile is not.
    let next = || {
        let parts = stream.parts();
        let mut hot = parts.iter().filter(|part| part.codecs() == Codecs::Hot);
        hot.find(|part| Some(part.commit()) <= through && is_old(part)).cloned()
    };
    let mut gave_way = 0;
    while let Some(part) = next() {
        match recode(shared, stream, &part) {
            // The background seals meanwhile, then it is this part's turn again.
            Err(error) if error.reason() == fault::GIVES_WAY && gave_way < MOST_WAYS => {
                shared.sealer.sleep(WAY);
                gave_way += 1;
            }
            other => {
                gave_way = 0;
                if let Some(bytes) = other? {
                    report.parts += 1;
                    report.bytes_before += part.bytes();
                    report.bytes_after += bytes;
                }
            }
        }
    }
    Ok(report)
}

impl Store {
    /// Writes the parts of a stream whose last row is older than `before_ns`, or all that it has, anew in the codecs of cold parts.
    /// Nothing that is asked changes by it, but that it may take longer. The background does it to streams that say after what
    /// time.
    ///
    /// # Errors
    /// Corrupt: a part is damaged; those before it are recoded. Overloaded: rows wait to be sealed, and have done so for a minute. NotFound: the stream was deleted meanwhile. Others as
    /// [`Store::seal`].
    pub fn recode(&self, stream: &Arc<Stream>, before_ns: Option<i64>) -> Result<RecodeReport> {
        recode_all(&self.shared, stream, before_ns)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;
    use crate::column::packed::pack;
    use crate::column::{PackedBatch, RejectCounts, RowBatch, StreamKind};
    use crate::error::Kind;
    use crate::store::{CommitItem, StoreOptions};

    /// A store that seals, with a stream that has one part.
    fn store_with_a_part(dir: &std::path::Path) -> (Arc<Store>, Arc<Stream>) {
        let options = StoreOptions {
            map_size: 1 << 26,
            reserve_bytes: 0,
            min_free_bytes: 0,
            scrub_bytes_per_second: 0,
            tail_limit_bytes: 1 << 20,
            ..StoreOptions::default()
        };
        let store = Store::open(dir, options).unwrap();
        let namespace = store.create_namespace("default").unwrap();
        let stream = store.stream_or_new(namespace, "rows", StreamKind::Event).unwrap();
        let entity = stream.intern_users(["anna"].into_iter())[0];
        let batch = RowBatch {
            time: (0..3_000).collect(),
            entity: vec![entity; 3_000],
            columns: Vec::new(),
        };
        let (sender, receiver) = mpsc::channel();
        store.submit(CommitItem {
            stream: Arc::clone(&stream),
            batch: Some(PackedBatch::open(pack(&batch)).unwrap()),
            received: 3_000,
            rejected: RejectCounts::default(),
            late: 0,
            quarantine: Vec::new(),
            writer: None,
            message_bytes: 0,
            done: Box::new(move |outcome| sender.send(outcome.map(|_| ())).unwrap()),
        });
        receiver.recv().unwrap().unwrap();
        store.seal(&stream).unwrap();
        assert_eq!(stream.parts().len(), 1);
        (store, stream)
    }

    #[test]
    fn a_recode_gives_way_while_tails_are_past_half_their_bound() {
        let dir = tempfile::tempdir().unwrap();
        let (store, stream) = store_with_a_part(dir.path());
        let (shared, part) = (&store.shared, stream.parts()[0].clone());
        // Rows that no seal takes out of the way.
        let waiting = shared.options.tail_limit_bytes / 2 + 1;
        shared.reserve(waiting).unwrap();
        let error = recode(shared, &stream, &part).unwrap_err();
        assert_eq!((error.kind(), error.reason()), (Kind::Overloaded, fault::GIVES_WAY));
        assert!(error.retry_delay_ms().is_some());
        assert_eq!(stream.parts()[0].codecs(), Codecs::Hot);
        assert_eq!(std::fs::read_dir(dir.path().join("parts")).unwrap().count(), 1);
        // One that was asked for waits until it may.
        let report = thread::scope(|scope| {
            let asked = scope.spawn(|| store.recode(&stream, None));
            shared.settle(waiting, 0);
            asked.join().unwrap().unwrap()
        });
        assert_eq!((report.parts, stream.parts()[0].codecs()), (1, Codecs::Cold));
        store.close().unwrap();
    }

    #[test]
    fn a_recode_that_was_asked_for_is_refused_where_it_would_give_way_for_too_long() {
        let dir = tempfile::tempdir().unwrap();
        let (store, stream) = store_with_a_part(dir.path());
        store
            .shared
            .reserve(store.shared.options.tail_limit_bytes / 2 + 1)
            .unwrap();
        // Who is stopped waits no longer between one try and the next.
        store.shared.sealer.stop();
        assert_eq!(store.recode(&stream, None).unwrap_err().reason(), fault::GIVES_WAY);
        assert_eq!(stream.parts()[0].codecs(), Codecs::Hot);
        store.close().unwrap();
    }
}
