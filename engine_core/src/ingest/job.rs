//! One request on the pool: decoded, validated, packed and queued, or recognised as a repeat.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use prost::encoding::message;

use super::ask::{Ask, envelope};
use super::lane::{Answer, Finish, Lanes, Slot, WriterKey, reused};
use super::pool::{Permit, Run};
use super::prepare::{Prepared, Streams, Terms};
use super::tables::KnownTables;
use super::{Request, WriteMethod, track, validate};
use crate::column::StreamKind;
use crate::error::{Error, Kind, Result};
use crate::store::{CommitItem, Committed, NamespaceId, Store, Stream, WriterAdvance};
use crate::wire::answers::rejection_counts;
use crate::wire::batch::{BatchView, require};
use crate::wire::events::EventsView;
use crate::wire::v1;

/// What all requests share.
pub(super) struct Shared {
    /// The store.
    pub store: Arc<Store>,
    /// Batches of writers under way.
    pub lanes: Lanes,
    /// Series tables seen before.
    pub tables: KnownTables,
}

impl Shared {
    /// Epoch and next sequence of a writer, as they are stored.
    pub(super) fn writer_head(&self, key: &WriterKey) -> Result<(u64, u64)> {
        let head = self.store.writer_head(key.namespace, &key.name);
        head.map_err(|error| match error.reason() {
            // Not a thing to be looked up, to those who write: a step that was left out.
            "WRITER_NOT_OPEN" => Error::new(Kind::FailedPrecondition, "WRITER_NOT_OPEN", error.message()).at("writer"),
            _ => error,
        })
    }
}

/// What a request is to its writer.
pub(super) enum Role {
    /// It has none.
    Alone(Finish),
    /// The next batch.
    Next(Arc<Slot>),
    /// A batch that is under way.
    Again(Arc<Slot>, Finish),
    /// A batch that has been consumed.
    Old(Finish),
}

/// One request on the pool.
pub(super) struct Job {
    /// What all requests share.
    pub shared: Arc<Shared>,
    /// Its envelope.
    pub ask: Ask,
    /// Its bytes.
    pub request: Request,
    /// What it is to its writer.
    pub role: Role,
    /// Its room in the pool.
    pub permit: Permit,
}

/// Runs what may have a bug; a panic costs this request alone.
fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Error::internal("an ingest job panicked")))
}

impl Run for Job {
    fn run(self) {
        let Self {
            shared,
            ask,
            request,
            role,
            permit,
        } = self;
        let bytes = (*request).as_ref();
        match role {
            Role::Alone(finish) => {
                let ready = guarded(|| Ok(item(prepare(&shared, &ask, bytes)?, bytes.len(), None)));
                drop(permit);
                match ready {
                    Ok((mut item, answer)) => {
                        item.done = Box::new(move |committed| finish(committed.map(|at| answer.at(at))));
                        shared.store.submit(item);
                    }
                    Err(error) => finish(Err(error)),
                }
            }
            Role::Next(slot) => {
                if slot.is_settled() {
                    // One before it failed, and this one with it.
                    return;
                }
                let ready = guarded(|| {
                    let hash = envelope(ask.method, bytes)?.hash();
                    slot.set_hash(hash);
                    let advance = ask.writer.as_ref().map(|writer| WriterAdvance {
                        name: writer.name.clone(),
                        epoch: ask.epoch,
                        sequence: ask.sequence,
                        hash,
                    });
                    Ok(item(prepare(&shared, &ask, bytes)?, bytes.len(), advance))
                });
                drop(permit);
                match ready {
                    Ok((mut item, answer)) => {
                        let (told, place) = (Arc::clone(&shared), Arc::clone(&slot));
                        item.done = Box::new(move |committed| match committed {
                            Ok(at) => told.lanes.done(&place, answer.at(at)),
                            Err(error) => told.lanes.fail(&place, error),
                        });
                        let store = Arc::clone(&shared.store);
                        shared.lanes.ready(&slot, Box::new(move || store.submit(item)));
                    }
                    Err(error) => shared.lanes.fail(&slot, error),
                }
            }
            Role::Again(slot, finish) => match guarded(|| Ok(envelope(ask.method, bytes)?.hash())) {
                Ok(hash) => {
                    let counted = Arc::clone(&shared);
                    let finish: Finish = Box::new(move |first| {
                        finish(first.map(|first| {
                            counted.count_duplicate(&ask, rows_of(&first.outcome));
                            Arc::new(again(&first))
                        }));
                    });
                    slot.attach(Some(hash), finish);
                }
                Err(error) => finish(Err(error)),
            },
            Role::Old(finish) => finish(guarded(|| shared.repeat(&ask, bytes)).map(Arc::new)),
        }
    }
}

impl Job {
    /// Answers without doing anything.
    pub(super) fn refuse(self, error: Error) {
        match self.role {
            Role::Alone(finish) | Role::Again(_, finish) | Role::Old(finish) => finish(Err(error)),
            Role::Next(slot) => self.shared.lanes.fail(&slot, error),
        }
    }
}

/// The answer to a resend whose first time was still under way: what a repeat is told later on.
fn again(first: &Answer) -> Answer {
    Answer {
        outcome: v1::WriteResponse {
            duplicate: true,
            verified: true,
            errors: Vec::new(),
            ..first.outcome.clone()
        },
        results: Vec::new(),
    }
}

fn rows_of(outcome: &v1::WriteResponse) -> u64 {
    outcome.stored + outcome.rejected.iter().map(|count| count.rows).sum::<u64>()
}

impl Shared {
    /// The answer to a batch that has been consumed before.
    fn repeat(&self, ask: &Ask, bytes: &[u8]) -> Result<Answer> {
        let key = ask
            .writer
            .as_ref()
            .ok_or_else(|| Error::internal("a repeat without a writer"))?;
        let envelope = envelope(ask.method, bytes)?;
        let state = self.store.writer(key.namespace, &key.name)?;
        let kept = state.outcomes.iter().find(|outcome| outcome.sequence == ask.sequence);
        let mut outcome = v1::WriteResponse {
            duplicate: true,
            ..v1::WriteResponse::default()
        };
        let rows = match kept {
            Some(kept) if kept.hash != envelope.hash() => return Err(reused(&key.name, ask.sequence)),
            Some(kept) => {
                outcome.verified = true;
                outcome.commit = kept.commit;
                outcome.stored = kept.stored;
                outcome.rejected = rejection_counts(&kept.rejected);
                outcome.late = kept.late;
                rows_of(&outcome)
            }
            None => {
                // It is older than all that are kept: what can be said is that it was durable with the oldest of them.
                outcome.commit = state.outcomes.front().map_or(0, |oldest| oldest.commit);
                match ask.method {
                    WriteMethod::TrackEvents => envelope.rows.as_slice().len() as u64,
                    WriteMethod::Write | WriteMethod::WriteStream => envelope.claimed_rows()?,
                }
            }
        };
        outcome.watermark_ns = self.count_duplicate(ask, rows);
        Ok(Answer {
            outcome,
            results: Vec::new(),
        })
    }

    /// Enters a repeat in the ledger of its stream; the stream's watermark. A stream that has been deleted since has none.
    fn count_duplicate(&self, ask: &Ask, rows: u64) -> Option<i64> {
        let stream = self.store.stream(ask.namespace, &ask.stream).ok()?;
        self.store.count_duplicate(&stream, rows);
        stream.watermark(self.store.clock().now())
    }
}

/// The stream of a request.
struct Named<'a> {
    store: &'a Store,
    namespace: NamespaceId,
    name: &'a str,
}

impl Streams for Named<'_> {
    fn find(&self) -> Result<Option<Arc<Stream>>> {
        match self.store.stream(self.namespace, self.name) {
            Ok(stream) => Ok(Some(stream)),
            Err(error) if error.reason() == "STREAM_NOT_FOUND" => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn make(&self, kind: StreamKind) -> Result<Arc<Stream>> {
        self.store.stream_or_new(self.namespace, self.name, kind)
    }
}

fn prepare(shared: &Shared, ask: &Ask, bytes: &[u8]) -> Result<Prepared> {
    let streams = Named {
        store: &shared.store,
        namespace: ask.namespace,
        name: &ask.stream,
    };
    let terms = Terms {
        streams: &streams,
        now: shared.store.clock().now(),
        atomic: ask.atomic,
        secret: shared.store.namespace_secret(ask.namespace),
        tables: &shared.tables,
    };
    let envelope = envelope(ask.method, bytes)?;
    match ask.method {
        WriteMethod::TrackEvents => track::track(&ask.stream, &EventsView::of(&envelope)?, &terms),
        WriteMethod::Write | WriteMethod::WriteStream => {
            let view = require(BatchView::of(&envelope)?)?;
            validate::write(&ask.stream, &view, ask.kind, &terms)
        }
    }
}

/// An answer that lacks its commit.
struct Pending(Answer);

impl Pending {
    fn at(mut self, committed: Committed) -> Arc<Answer> {
        self.0.outcome.commit = committed.commit;
        self.0.outcome.watermark_ns = committed.watermark_ns;
        Arc::new(self.0)
    }
}

fn item(prepared: Prepared, message_bytes: usize, writer: Option<WriterAdvance>) -> (CommitItem, Pending) {
    let stored = prepared.received - prepared.rejected.total();
    // Encoded here, for the committer does no work by the row.
    let mut results = Vec::new();
    message::encode_repeated(2, &prepared.results, &mut results);
    let answer = Answer {
        outcome: v1::WriteResponse {
            stored,
            rejected: rejection_counts(&prepared.rejected),
            errors: prepared.errors,
            late: prepared.late,
            ..v1::WriteResponse::default()
        },
        results,
    };
    let item = CommitItem {
        stream: prepared.stream,
        batch: prepared.batch,
        received: prepared.received,
        rejected: prepared.rejected,
        late: prepared.late,
        quarantine: prepared.quarantine,
        writer,
        message_bytes: message_bytes as u64,
        done: Box::new(|_| ()),
    };
    (item, Pending(answer))
}
