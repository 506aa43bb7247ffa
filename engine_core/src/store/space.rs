//! The store's namespaces, streams and writers: what is made, changed and deleted by name.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::Store;
use super::catalog::{self, Space};
use super::fault::OrFault;
use super::keys;
use super::quarantine::{self, QuarantinedBatch};
use super::records::{NamespaceRecord, Quota};
use super::stream::{CommitCounter, NamespaceId, Stream};
use super::tables::Table;
use super::writers::{Outcome, Writer, WriterState, expired, not_open};
use crate::column::schema::{Schema, StreamKind, StreamSettings, check_name, check_stream_id};
use crate::error::{Error, Kind, Result};

/// What a namespace stores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Rows of its streams.
    pub rows: u64,
    /// Bytes of these in the log and in parts.
    pub bytes: u64,
}

impl Store {
    /// Makes a namespace; its id is the store's to give.
    ///
    /// # Errors
    /// InvalidArgument: BAD_NAME. AlreadyExists: NAMESPACE_EXISTS.
    pub fn create_namespace(&self, name: &str) -> Result<NamespaceId> {
        check_name("name", name)?;
        let name = name.to_owned();
        self.shared.change(false, move |change| {
            if change.shared().catalog().by_name.contains_key(&name) {
                return Err(Error::new(
                    Kind::AlreadyExists,
                    "NAMESPACE_EXISTS",
                    format!("there is a namespace {name:?} already"),
                ));
            }
            let created_ns = change.now();
            let stamp = change.stamp();
            let id = NamespaceId(stamp.next_namespace);
            stamp.next_namespace += 1;
            stamp.namespaces += 1;
            let record = NamespaceRecord {
                name: name.clone(),
                creates_streams: true,
                created_ns,
                quota: Quota::default(),
            };
            let key = keys::namespace(id);
            change.put(Table::Namespaces, &key, &record.encode(&key))?;
            change.add_namespace(id);
            change.after(move |shared| {
                let mut catalog = shared.catalog_mut();
                catalog.by_name.insert(record.name.clone(), id);
                let space = Space {
                    record,
                    commits: Arc::new(CommitCounter::default()),
                    streams: BTreeMap::new(),
                };
                catalog.spaces.insert(id, space);
            });
            Ok(id)
        })
    }

    /// Id of a namespace.
    pub fn namespace(&self, name: &str) -> Option<NamespaceId> {
        self.shared.catalog().by_name.get(name).copied()
    }

    /// Every namespace, in ascending order of id.
    pub fn namespaces(&self) -> Vec<(String, NamespaceId)> {
        let catalog = self.shared.catalog();
        catalog
            .spaces
            .iter()
            .map(|(&id, space)| (space.record.name.clone(), id))
            .collect()
    }

    /// Whether writes make streams that are missing; they do unless told otherwise.
    pub fn set_namespace_creates_streams(&self, namespace: NamespaceId, allowed: bool) -> Result<()> {
        self.change_namespace(namespace, move |record| record.creates_streams = allowed)
    }

    /// What a namespace may store. Less than it does store already keeps what is there and takes nothing more.
    pub fn set_namespace_quota(&self, namespace: NamespaceId, quota: Quota) -> Result<()> {
        self.change_namespace(namespace, move |record| record.quota = quota)
    }

    fn change_namespace(
        &self,
        namespace: NamespaceId,
        edit: impl Fn(&mut NamespaceRecord) + Clone + Send + 'static,
    ) -> Result<()> {
        self.shared.change(false, move |change| {
            let mut record = change.shared().catalog().space(namespace)?.record.clone();
            edit(&mut record);
            let key = keys::namespace(namespace);
            change.put(Table::Namespaces, &key, &record.encode(&key))?;
            let edit = edit.clone();
            change.after(move |shared| {
                if let Ok(space) = shared.catalog_mut().space_mut(namespace) {
                    edit(&mut space.record);
                }
            });
            Ok(())
        })
    }

    /// What a namespace may store, and what it does: rows, and bytes in the log and in parts.
    pub fn namespace_usage(&self, namespace: NamespaceId) -> Result<(Quota, Usage)> {
        let catalog = self.shared.catalog();
        let space = catalog.space(namespace)?;
        let mut usage = Usage::default();
        for stream in space.streams.values() {
            let ((rows, bytes), (_, sealed_rows, sealed_bytes)) = (stream.tail_size(), stream.sealed_size());
            usage.rows += rows + sealed_rows;
            usage.bytes += bytes + sealed_bytes;
        }
        Ok((space.record.quota, usage))
    }

    /// Whether a namespace may store more.
    ///
    /// # Errors
    /// LimitExceeded: NAMESPACE_QUOTA.
    pub fn within_quota(&self, namespace: NamespaceId) -> Result<()> {
        let has_quota = self
            .shared
            .catalog()
            .space(namespace)
            .is_ok_and(|space| space.record.quota != Quota::default());
        if !has_quota {
            return Ok(());
        }
        let (quota, usage) = self.namespace_usage(namespace)?;
        for (what, most, used) in [
            ("rows", quota.max_rows, usage.rows),
            ("bytes", quota.max_bytes, usage.bytes),
        ] {
            if most > 0 && used >= most {
                let message = format!(
                    "the namespace may store {most} {what} and stores {used}; delete or keep less, or have its quota raised"
                );
                return Err(Error::new(Kind::LimitExceeded, "NAMESPACE_QUOTA", message));
            }
        }
        Ok(())
    }

    /// Whether writes make streams that are missing; false if there is no such namespace.
    pub fn namespace_creates_streams(&self, namespace: NamespaceId) -> bool {
        let catalog = self.shared.catalog();
        catalog.space(namespace).is_ok_and(|space| space.record.creates_streams)
    }

    /// A stream that is durable.
    ///
    /// # Errors
    /// NotFound: STREAM_NOT_FOUND, NAMESPACE_NOT_FOUND.
    pub fn stream(&self, namespace: NamespaceId, name: &str) -> Result<Arc<Stream>> {
        self.shared.catalog().stream(namespace, name)
    }

    /// Every durable stream of a namespace, in ascending order of name.
    pub fn streams(&self, namespace: NamespaceId) -> Vec<Arc<Stream>> {
        let catalog = self.shared.catalog();
        let streams = catalog.space(namespace).map(|space| space.streams.values());
        streams.map_or_else(
            |_| Vec::new(),
            |streams| streams.filter(|stream| stream.is_durable()).cloned().collect(),
        )
    }

    /// Makes a stream, durable at return; with the commit that holds it. One that a write made and no commit holds gives way.
    ///
    /// # Errors
    /// InvalidArgument: BAD_STREAM_ID. AlreadyExists: STREAM_EXISTS. NotFound: NAMESPACE_NOT_FOUND.
    pub fn create_stream(&self, namespace: NamespaceId, name: &str, schema: Schema) -> Result<(Arc<Stream>, u64)> {
        check_stream_id("stream", name)?;
        let name = name.to_owned();
        self.shared.change(false, move |change| {
            let (id, commits) = {
                let mut catalog = change.shared().catalog_mut();
                if catalog.stream(namespace, &name).is_ok() {
                    return Err(catalog::stream_exists(&name));
                }
                let commits = Arc::clone(&catalog.space(namespace)?.commits);
                (catalog.take_stream_id()?, commits)
            };
            let stream = Arc::new(Stream::new(id, namespace, &name, change.now(), schema.clone(), commits));
            change.flush_stream(&stream)?;
            let commit = change.commit_number(namespace)?;
            let made = Arc::clone(&stream);
            change.after(move |shared| {
                if let Ok(space) = shared.catalog_mut().space_mut(namespace)
                    && let Some(pending) = space.streams.insert(made.name.clone(), made)
                {
                    pending.mark_deleted();
                }
            });
            Ok((stream, commit))
        })
    }

    /// The stream of this name, made in memory if it is missing. It becomes durable with its first commit and is listed from
    /// then on; until then a restart forgets it.
    ///
    /// # Errors
    /// InvalidArgument: BAD_STREAM_ID. NotFound: NAMESPACE_NOT_FOUND. FailedPrecondition: STREAM_CREATION_FORBIDDEN.
    pub fn stream_or_new(&self, namespace: NamespaceId, name: &str, kind: StreamKind) -> Result<Arc<Stream>> {
        if let Some(stream) = self.shared.catalog().space(namespace)?.streams.get(name) {
            return Ok(Arc::clone(stream));
        }
        check_stream_id("stream", name)?;
        let mut catalog = self.shared.catalog_mut();
        let space = catalog.space(namespace)?;
        if let Some(stream) = space.streams.get(name) {
            return Ok(Arc::clone(stream));
        }
        if !space.record.creates_streams {
            return Err(Error::new(
                Kind::FailedPrecondition,
                "STREAM_CREATION_FORBIDDEN",
                format!("there is no stream {name:?}, and writes make none in this namespace; create it first"),
            ));
        }
        let commits = Arc::clone(&space.commits);
        let id = catalog.take_stream_id()?;
        let schema = Schema::new(kind, StreamSettings::default());
        let stream = Stream::new(id, namespace, name, self.shared.options.clock.now(), schema, commits);
        let stream = Arc::new(stream);
        let space = catalog.space_mut(namespace)?;
        space.streams.insert(name.to_owned(), Arc::clone(&stream));
        Ok(stream)
    }

    /// Changes a stream's schema, durable at return; with the commit that holds it. `version` is the one that was read; 0
    /// takes any. A change that changes nothing makes no commit.
    ///
    /// # Errors
    /// NotFound: STREAM_NOT_FOUND. VersionConflict: VERSION_CONFLICT. What `change` returns.
    pub fn update_stream(
        &self,
        namespace: NamespaceId,
        name: &str,
        version: u64,
        change: impl FnOnce(&mut Schema) -> Result<()>,
    ) -> Result<(Arc<Stream>, u64)> {
        let stream = self.stream(namespace, name)?;
        let mut old = None;
        stream.change_schema(|schema| {
            if version != 0 && version != schema.version {
                return Err(Error::new(
                    Kind::VersionConflict,
                    "VERSION_CONFLICT",
                    format!(
                        "stream {name:?} has version {}, not {version}; read it again",
                        schema.version
                    ),
                ));
            }
            old = Some(Arc::new(schema.clone()));
            change(schema)
        })?;
        let changed = stream.schema();
        let Some(old) = old.filter(|old| old.version != changed.version) else {
            let commit = stream.commits.published();
            return Ok((stream, commit));
        };
        let flushed = Arc::clone(&stream);
        let written = self.shared.change(false, move |change| {
            if flushed.is_deleted() {
                return Err(catalog::stream_not_found(&flushed.name));
            }
            change.flush_stream(&flushed)?;
            change.commit_number(namespace)
        });
        match written {
            Ok(commit) => Ok((stream, commit)),
            Err(error) => {
                stream.revert_schema(&changed, &old);
                Err(error)
            }
        }
    }

    /// Deletes a stream with all that belongs to it: how many rows it had, and the commit. The name may be used again, the
    /// number never is. Works on a full disk.
    ///
    /// # Errors
    /// NotFound: STREAM_NOT_FOUND, NAMESPACE_NOT_FOUND.
    pub fn delete_stream(&self, namespace: NamespaceId, name: &str) -> Result<(u64, u64)> {
        let name = name.to_owned();
        self.shared.change(true, move |change| {
            let stream = change.shared().catalog().stream(namespace, &name)?;
            let id = (namespace, stream.id);
            let (_, rows) = change.delete_stream(id)?;
            let commit = change.commit_number(namespace)?;
            change.after(move |shared| {
                stream.mark_deleted();
                if let Ok(space) = shared.catalog_mut().space_mut(namespace) {
                    space.streams.remove(&stream.name);
                }
                let (bytes, parts) = stream.clear_rows();
                shared.release(bytes);
                shared.unlink(&parts);
                shared.meters().forget(id);
            });
            Ok((rows, commit))
        })
    }

    /// Quarantined rows of a stream, oldest first: at most `limit` batches, those from number `from` on, each with its number.
    pub fn quarantined(&self, stream: &Stream, from: u64, limit: usize) -> Result<Vec<(u64, QuarantinedBatch)>> {
        self.shared.read(|hot| {
            let txn = hot.read()?;
            let mut batches = Vec::new();
            let (first, last) = (
                keys::quarantine(stream.namespace, stream.id, from),
                keys::quarantine(stream.namespace, stream.id, u64::MAX),
            );
            let span = (Bound::Included(&first[..]), Bound::Excluded(&last[..]));
            let range = hot.table(Table::Quarantine).range(&txn, &span).or_fault()?;
            for (found, number) in range.take(limit).zip(from..) {
                let (key, value) = found.or_fault()?;
                batches.push((number, quarantine::decode(key, value)?));
            }
            Ok(batches)
        })
    }

    /// Opens a writer, durable at return: its epoch, one higher than the last, and the sequence of its next batch, 1 at first.
    /// Earlier holders of the name are fenced.
    ///
    /// # Errors
    /// InvalidArgument: BAD_NAME. LimitExceeded: TOO_MANY_WRITERS. NotFound: NAMESPACE_NOT_FOUND.
    pub fn open_writer(&self, namespace: NamespaceId, name: &str) -> Result<(u64, u64)> {
        check_name("writer", name)?;
        let name = name.to_owned();
        self.shared.change(false, move |change| {
            let now = change.now();
            let found = change.writer(namespace, &name).map(std::borrow::Cow::into_owned);
            let limit = change.shared().options.max_writers;
            let is_active = found.as_ref().is_some_and(|writer| !writer.is_expired(now));
            if !is_active && change.shared().active_writers(namespace, now) >= limit {
                return Err(Error::new(
                    Kind::LimitExceeded,
                    "TOO_MANY_WRITERS",
                    format!("a namespace has at most {limit} writers; one that is idle for 30 days makes room"),
                ));
            }
            change.namespace(namespace)?.writers += u32::from(found.is_none());
            let mut writer = found.unwrap_or_else(Writer::default);
            writer.open(now);
            let opened = (writer.epoch, writer.next_sequence);
            change.set_writer(namespace, &name, writer);
            Ok(opened)
        })
    }

    fn find_writer(&self, namespace: NamespaceId, name: &str) -> Result<Arc<Writer>> {
        let writer = self.shared.find_writer(namespace, name).ok_or_else(|| not_open(name))?;
        if writer.is_expired(self.shared.options.clock.now()) {
            return Err(expired(name));
        }
        Ok(writer)
    }

    /// A writer as it is durable.
    ///
    /// # Errors
    /// NotFound: WRITER_NOT_OPEN. FailedPrecondition: WRITER_EXPIRED.
    pub fn writer(&self, namespace: NamespaceId, name: &str) -> Result<WriterState> {
        Ok(self.find_writer(namespace, name)?.state())
    }

    /// Epoch and next sequence of a writer: what each batch is compared with. Errors as [`Store::writer`].
    pub fn writer_head(&self, namespace: NamespaceId, name: &str) -> Result<(u64, u64)> {
        let writer = self.find_writer(namespace, name)?;
        Ok((writer.epoch, writer.next_sequence))
    }

    /// What became of a batch of a writer, if it is among its last 64. Errors as [`Store::writer`].
    pub fn writer_outcome(&self, namespace: NamespaceId, name: &str, sequence: u64) -> Result<Option<Outcome>> {
        Ok(self.find_writer(namespace, name)?.outcome(sequence))
    }
}
