//! Rows in: envelope ▸ dedup ▸ decode ▸ validate ▸ commit. Credential and quota stand before it, in the server.
//!
//! `submit` takes constant time: it reads the envelope and finds the batch its place in its writer's lane. The rest is done
//! on a pool of threads, and the answer is given by the committer once the rows are durable. No thread waits for a commit.

mod ask;
mod build;
mod codes;
mod columns;
pub mod event_id;
mod faults;
mod intern;
mod job;
mod lane;
mod pool;
pub mod prepare;
mod properties;
mod quarantine;
mod series;
mod session;
pub mod tables;
#[cfg(test)]
mod testing;
mod track;
pub mod validate;

use std::sync::Arc;

pub use session::WriteSession;

use self::ask::Ask;
use self::job::{Job, Role, Shared};
use self::lane::{Answer, Finish, Lanes, Place};
use self::pool::{Permit, Pool, shutting_down};
use self::tables::KnownTables;
use crate::error::Result;
use crate::store::{NamespaceId, Store};
use crate::wire::answers;

/// Most bytes of requests that wait to be decoded.
const QUEUE_BYTES: usize = 128 << 20;

/// A method that takes rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteMethod {
    /// One columnar batch.
    Write,
    /// One message of a stream of them.
    WriteStream,
    /// Events row by row.
    TrackEvents,
}

impl WriteMethod {
    fn encode(self, sequence: u64, answer: &Answer) -> Vec<u8> {
        match self {
            Self::Write => answers::write_response(&answer.outcome),
            Self::WriteStream => answers::batch_outcome(sequence, &answer.outcome),
            Self::TrackEvents => answers::track_events_response(&answer.outcome, &answer.results),
        }
    }
}

/// Bytes of a request, whoever owns them.
pub type Request = Box<dyn AsRef<[u8]> + Send>;

/// Told the encoded answer: a WriteResponse, a BatchOutcome or a TrackEventsResponse.
pub type Done = Box<dyn FnOnce(Result<Vec<u8>>) + Send>;

/// The ingest path of one store.
pub struct Ingest {
    shared: Arc<Shared>,
    pool: Pool<Job>,
}

impl Ingest {
    /// With a pool of so many threads.
    pub fn new(store: Arc<Store>, threads: usize) -> Self {
        Self {
            shared: Arc::new(Shared {
                store,
                lanes: Lanes::default(),
                tables: KnownTables::default(),
            }),
            pool: Pool::new(threads, QUEUE_BYTES),
        }
    }

    /// Takes a request. Constant time; `done` is called on another thread, or at once with an error that needs no decoding.
    /// A WriteStream message is taken as the first of its call: [`Ingest::submit_in`] is for those that follow.
    pub fn submit(&self, namespace: NamespaceId, method: WriteMethod, request: Request, done: Done) {
        match method {
            WriteMethod::WriteStream => self.submit_in(&WriteSession::default(), namespace, request, done),
            WriteMethod::Write | WriteMethod::TrackEvents => self.take(namespace, method, None, request, done),
        }
    }

    /// Takes a message of a WriteStream call.
    pub fn submit_in(&self, session: &WriteSession, namespace: NamespaceId, request: Request, done: Done) {
        self.take(namespace, WriteMethod::WriteStream, Some(session), request, done);
    }

    /// Takes no more requests, and returns when those queued have been decoded and handed to the committer.
    pub fn shutdown(&self) {
        self.pool.shutdown();
    }

    fn take(
        &self,
        namespace: NamespaceId,
        method: WriteMethod,
        session: Option<&WriteSession>,
        request: Request,
        done: Done,
    ) {
        let (ask, permit, place) = match self.admit(namespace, method, session, (*request).as_ref()) {
            Ok(admitted) => admitted,
            Err(error) => return done(Err(error)),
        };
        let sequence = ask.sequence;
        let finish: Finish = Box::new(move |answer| done(answer.map(|answer| method.encode(sequence, &answer))));
        let role = match place {
            None => Role::Alone(finish),
            Some(Place::Next(slot)) => {
                slot.attach(None, finish);
                Role::Next(slot)
            }
            Some(Place::UnderWay(slot)) => Role::Again(slot, finish),
            Some(Place::Old) => Role::Old(finish),
        };
        let job = Job {
            shared: Arc::clone(&self.shared),
            ask,
            request,
            role,
            permit,
        };
        if let Err(job) = self.pool.spawn(job) {
            job.refuse(shutting_down());
        }
    }

    /// Reads the envelope, finds room for the request and, if it has a writer, its place in the writer's lane.
    fn admit(
        &self,
        namespace: NamespaceId,
        method: WriteMethod,
        session: Option<&WriteSession>,
        bytes: &[u8],
    ) -> Result<(Ask, Permit, Option<Place>)> {
        let ask = Ask::read(namespace, method, session, bytes)?;
        let permit = self.pool.admit(bytes.len())?;
        let store = &self.shared.store;
        let admits = || store.admits(namespace, bytes.len());
        let Some(writer) = &ask.writer else {
            admits()?;
            return Ok((ask, permit, None));
        };
        let durable = || self.shared.writer_head(writer);
        let place = self
            .shared
            .lanes
            .place(writer, ask.epoch, ask.sequence, durable, admits)?;
        Ok((ask, permit, Some(place)))
    }
}
