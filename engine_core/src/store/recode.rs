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
    let written = publish::write(shared, &built)?;
    let bytes = written.iter().map(|(_, record)| record.bytes).sum();
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
