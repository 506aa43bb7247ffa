//! Namespaces and streams in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::records::NamespaceRecord;
use super::stream::{CommitCounter, NamespaceId, Stream};
use crate::error::{Error, Kind, Result};

/// A namespace in memory.
pub(super) struct Space {
    pub(super) record: NamespaceRecord,
    pub(super) commits: Arc<CommitCounter>,
    pub(super) streams: BTreeMap<String, Arc<Stream>>,
}

/// Every namespace and stream.
#[derive(Default)]
pub(super) struct Catalog {
    pub(super) spaces: BTreeMap<NamespaceId, Space>,
    pub(super) by_name: HashMap<String, NamespaceId>,
    /// Next number of a stream; numbers of streams that never become durable are lost.
    pub(super) next_stream: u32,
}

impl Catalog {
    /// A namespace.
    pub(super) fn space(&self, namespace: NamespaceId) -> Result<&Space> {
        self.spaces.get(&namespace).ok_or_else(namespace_not_found)
    }

    /// A namespace, to change.
    pub(super) fn space_mut(&mut self, namespace: NamespaceId) -> Result<&mut Space> {
        self.spaces.get_mut(&namespace).ok_or_else(namespace_not_found)
    }

    /// A stream that is durable.
    pub(super) fn stream(&self, namespace: NamespaceId, name: &str) -> Result<Arc<Stream>> {
        let streams = &self.space(namespace)?.streams;
        match streams.get(name) {
            Some(stream) if stream.is_durable() => Ok(Arc::clone(stream)),
            _ => Err(stream_not_found(name)),
        }
    }

    /// A number that no stream has had.
    pub(super) fn take_stream_id(&mut self) -> Result<u32> {
        let id = self.next_stream;
        self.next_stream = id
            .checked_add(1)
            .ok_or_else(|| Error::internal("streams are out of numbers"))?;
        Ok(id)
    }

    /// Every stream there is, durable or not.
    pub(super) fn all_streams(&self) -> impl Iterator<Item = &Arc<Stream>> {
        self.spaces.values().flat_map(|space| space.streams.values())
    }
}

pub(super) fn namespace_not_found() -> Error {
    Error::new(Kind::NotFound, "NAMESPACE_NOT_FOUND", "there is no such namespace")
}

pub(super) fn stream_not_found(name: &str) -> Error {
    Error::new(
        Kind::NotFound,
        "STREAM_NOT_FOUND",
        format!("there is no stream {name:?} in this namespace"),
    )
}

pub(super) fn stream_exists(name: &str) -> Error {
    Error::new(
        Kind::AlreadyExists,
        "STREAM_EXISTS",
        format!("there is a stream {name:?} already"),
    )
}
