//! A stream in memory: schema, dictionaries, tail, watermark and counters. `store` makes it durable.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::manifest::PartHandle;
use super::past::{self, Past, Taken};
use super::tail::{Snapshot, Stored, TailBatch};
use crate::column::schema::{ColumnType, ENTITY, Schema};
use crate::column::series::{self, SeriesIndex};
use crate::column::{ColumnId, Dictionary, RejectCounts, StreamKind};
use crate::error::Result;
use crate::window::watermark::{Policy, Watermark};

/// The unit of isolation. Every call into the core names one; keys on disk begin with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NamespaceId(pub u32);

impl NamespaceId {
    /// Where the server keeps what belongs to no namespace.
    pub const SYSTEM: Self = Self(0);
}

/// A namespace's commit counter, shared by its streams.
#[derive(Debug, Default)]
pub struct CommitCounter(AtomicU64);

impl CommitCounter {
    /// As it was stored.
    pub fn at(commit: u64) -> Self {
        Self(AtomicU64::new(commit))
    }

    /// The newest commit whose rows are all in their tails.
    pub fn published(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Publishes a commit; the committer's alone, after the tails have its rows.
    pub fn publish(&self, commit: u64) {
        self.0.store(commit, Ordering::Release);
    }
}

/// Counters of a stream. `received = stored + rejected.total() + duplicate`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Rows of decoded batches.
    pub received: u64,
    /// Rows stored, late ones among them.
    pub stored: u64,
    /// Rows quarantined by reason.
    pub rejected: RejectCounts,
    /// Rows of batches recognised as sent before.
    pub duplicate: u64,
    /// Stored rows that were behind the watermark.
    pub late: u64,
}

impl Ledger {
    /// Whether every row is accounted for.
    pub fn balances(&self) -> bool {
        self.received == self.stored + self.rejected.total() + self.duplicate
    }

    /// Adds another ledger.
    pub fn merge(&mut self, other: &Self) {
        self.received += other.received;
        self.stored += other.stored;
        self.rejected.merge(&other.rejected);
        self.duplicate += other.duplicate;
        self.late += other.late;
    }
}

/// The entity dictionary and, for a metric stream, the labels of each series.
#[derive(Debug, Default)]
pub struct Entities {
    /// Users, or canonical texts of series, by code.
    pub dictionary: Dictionary,
    /// Label values by series.
    pub series: SeriesIndex,
}

/// The dictionary of a symbol column. How much of it is durable is the committer's to know.
#[derive(Debug, Default)]
pub struct Symbols {
    /// Texts by code.
    pub dictionary: RwLock<Dictionary>,
}

/// A stream in memory. Locks are held for short, never across I/O, and taken in the order of the fields.
#[derive(Debug)]
pub struct Stream {
    /// Number, per store; never used again.
    pub id: u32,
    /// Namespace it belongs to.
    pub namespace: NamespaceId,
    /// Name without `streams/`.
    pub name: String,
    /// When it was made, Unix nanoseconds.
    pub created_ns: i64,
    /// Commit counter of its namespace.
    pub commits: Arc<CommitCounter>,
    schema: RwLock<Arc<Schema>>,
    entities: RwLock<Entities>,
    symbols: RwLock<Vec<(ColumnId, Arc<Symbols>)>>,
    sealed_indexes: Mutex<BTreeMap<ColumnId, u32>>,
    stored: RwLock<Stored>,
    next_part: AtomicU64,
    watermark: Mutex<Watermark>,
    ledger: Mutex<Ledger>,
    durable: AtomicBool,
    deleted: AtomicBool,
}

impl Stream {
    /// A stream without rows.
    pub fn new(
        id: u32,
        namespace: NamespaceId,
        name: &str,
        created_ns: i64,
        schema: Schema,
        commits: Arc<CommitCounter>,
    ) -> Self {
        Self {
            id,
            namespace,
            name: name.to_owned(),
            created_ns,
            commits,
            schema: RwLock::new(Arc::new(schema)),
            entities: RwLock::default(),
            symbols: RwLock::default(),
            sealed_indexes: Mutex::default(),
            stored: RwLock::default(),
            next_part: AtomicU64::new(0),
            watermark: Mutex::default(),
            ledger: Mutex::default(),
            durable: AtomicBool::new(false),
            deleted: AtomicBool::new(false),
        }
    }

    /// Its schema now.
    pub fn schema(&self) -> Arc<Schema> {
        Arc::clone(&read(&self.schema))
    }

    /// Replaces the schema by a changed one with the next version; an error, or no change, leaves it as it was.
    /// Durable with the stream's next commit.
    pub fn change_schema<T>(&self, change: impl FnOnce(&mut Schema) -> Result<T>) -> Result<T> {
        let mut current = write(&self.schema);
        let mut next = Schema::clone(&current);
        let value = change(&mut next)?;
        if next != **current {
            next.version = current.version + 1;
            *current = Arc::new(next);
        }
        Ok(value)
    }

    /// Takes a schema from the disk as it is.
    pub fn restore_schema(&self, schema: Schema) {
        *write(&self.schema) = Arc::new(schema);
    }

    /// Entities for reading.
    pub fn entities(&self) -> RwLockReadGuard<'_, Entities> {
        read(&self.entities)
    }

    /// Codes of users; pending until a commit of the stream.
    pub fn intern_users<'a>(&self, users: impl Iterator<Item = &'a str>) -> Vec<u32> {
        intern_all(
            &self.entities,
            |entities| &entities.dictionary,
            |entities| &mut entities.dictionary,
            users,
        )
    }

    /// Codes of series by canonical text; pending until a commit of the stream. Their labels must be columns already.
    pub fn intern_series<'a>(&self, texts: impl Iterator<Item = &'a str>) -> Vec<u32> {
        let texts: Vec<&str> = texts.collect();
        let mut codes: Vec<u32> = {
            let entities = read(&self.entities);
            texts
                .iter()
                .map(|text| entities.dictionary.get(text).unwrap_or(0))
                .collect()
        };
        if codes.contains(&0) {
            let schema = self.schema();
            let mut entities = write(&self.entities);
            for (code, text) in codes.iter_mut().zip(&texts).filter(|(code, _)| **code == 0) {
                *code = add_series(&mut entities, &schema, text);
            }
        }
        codes
    }

    /// Takes texts of a column from the disk, which are not found before they are indexed, too: by [`Self::change_dictionary`].
    pub(super) fn restore_texts(&self, column: ColumnId, texts: &[&str]) {
        if column == ENTITY && self.schema().kind == StreamKind::Metric {
            let schema = self.schema();
            let mut entities = write(&self.entities);
            for text in texts {
                let code = entities.dictionary.len();
                entities.dictionary.push(text);
                add_labels(&mut entities, &schema, code, text);
            }
        } else {
            self.change_dictionary(column, |dictionary| texts.iter().for_each(|text| dictionary.push(text)));
        }
    }

    /// Changes the dictionary of a column while the store is opened.
    pub(super) fn change_dictionary<T>(&self, column: ColumnId, change: impl FnOnce(&mut Dictionary) -> T) -> T {
        if column == ENTITY {
            change(&mut write(&self.entities).dictionary)
        } else {
            change(&mut write(&self.symbols(column).dictionary))
        }
    }

    /// Reads the dictionary of a column.
    pub(super) fn with_dictionary<T>(&self, column: ColumnId, read: impl FnOnce(&Dictionary) -> T) -> T {
        if column == ENTITY {
            read(&self.entities().dictionary)
        } else {
            read(&self.symbols(column).read())
        }
    }

    /// Below which code the sealed index of a column is there and sound.
    pub(super) fn sealed_index(&self, column: ColumnId) -> u32 {
        lock(&self.sealed_indexes).get(&column).copied().unwrap_or(1)
    }

    /// Takes note of how far the sealed index of a column goes.
    pub(super) fn set_sealed_index(&self, column: ColumnId, end: u32) {
        lock(&self.sealed_indexes).insert(column, end);
    }

    /// The dictionary of a symbol column.
    pub fn symbols(&self, column: ColumnId) -> Arc<Symbols> {
        if let Some((_, symbols)) = read(&self.symbols).iter().find(|(id, _)| *id == column) {
            return Arc::clone(symbols);
        }
        let mut all = write(&self.symbols);
        if let Some((_, symbols)) = all.iter().find(|(id, _)| *id == column) {
            return Arc::clone(symbols);
        }
        let symbols = Arc::new(Symbols::default());
        all.push((column, Arc::clone(&symbols)));
        symbols
    }

    /// Every dictionary of a symbol column that has been asked for.
    pub fn all_symbols(&self) -> Vec<(ColumnId, Arc<Symbols>)> {
        read(&self.symbols).clone()
    }

    /// Bytes of memory that its dictionaries take: of entities, of symbols, and of the labels of series.
    pub fn dictionary_bytes(&self) -> u64 {
        let symbols = self.all_symbols();
        let of_symbols = symbols.iter().map(|(_, symbols)| symbols.read().memory_bytes());
        let of_symbols: usize = of_symbols.sum();
        let entities = self.entities();
        (of_symbols + entities.dictionary.memory_bytes() + entities.series.memory_bytes()) as u64
    }

    /// The rows now, with the commit they are as of.
    pub fn snapshot(&self) -> Snapshot {
        loop {
            // Read before the rows are: everything up to it is there, and what came later is filtered out. Only if that was
            // sealed in between, another look is needed, for parts are not cut by commit.
            let commit = self.commits.published();
            let stored = read(&self.stored);
            if stored.sealed_through <= commit {
                return stored.snapshot(commit);
            }
        }
    }

    /// The rows as they were at a commit. Parts are not cut by commit: once later rows have been sealed with them, that is kept for a
    /// minute while memory allows.
    ///
    /// # Errors
    /// OutOfRange: COMMIT_NOT_REACHED, COMMIT_NOT_KEPT, which names the nearest commits that can be served.
    pub fn as_of(&self, commit: u64) -> Result<Snapshot> {
        let newest = self.commits.published();
        if commit > newest {
            return Err(past::not_there(commit, newest));
        }
        read(&self.stored).as_of(commit)
    }

    /// The watermark that was known of rows at a commit before the newest, at `now`; none without rows. Never ahead of what it was: what silence
    /// adds to it is left out.
    pub fn watermark_of(&self, snapshot: &Snapshot, now: i64) -> Option<i64> {
        let watermark = self.watermark(now);
        if snapshot.commit >= self.last_commit() {
            return watermark;
        }
        let (newest, arrived) = snapshot.newest();
        let seen = newest?.min(arrived.unwrap_or(i64::MAX));
        Some(seen.saturating_sub(self.policy().out_of_orderness_ns).min(watermark?))
    }

    /// Adds a batch that is durable: the committer's, start-up's and a test's.
    pub fn push_batch(&self, batch: TailBatch) {
        write(&self.stored).tail.push(batch);
    }

    /// Rows and bytes in the tail.
    pub fn tail_size(&self) -> (u64, u64) {
        let stored = read(&self.stored);
        (stored.tail.rows(), stored.tail.bytes())
    }

    /// When the oldest batch of the tail arrived; none without one.
    pub fn oldest_arrival(&self) -> Option<i64> {
        read(&self.stored).tail.oldest().map(|batch| batch.arrived_ns)
    }

    /// Parts, rows and bytes that are sealed.
    pub fn sealed_size(&self) -> (u64, u64, u64) {
        let parts = Arc::clone(&read(&self.stored).parts);
        parts.iter().fold((0, 0, 0), |(parts, rows, bytes), part| {
            (parts + 1, rows + part.rows(), bytes + part.bytes())
        })
    }

    /// Its parts, in order of arrival of the first of their rows.
    pub fn parts(&self) -> Arc<Vec<Arc<PartHandle>>> {
        Arc::clone(&read(&self.stored).parts)
    }

    /// Rows, wherever they lie.
    pub fn rows(&self) -> u64 {
        self.tail_size().0 + self.sealed_size().1
    }

    /// A number that no part of the stream has had: one that is never published is given out again after a restart.
    pub(super) fn take_part_number(&self) -> u64 {
        self.next_part.fetch_add(1, Ordering::Relaxed)
    }

    /// Takes its parts from the disk, and the next number of one.
    pub(super) fn restore_parts(
        &self,
        parts: Vec<Arc<PartHandle>>,
        rollups: Vec<Arc<PartHandle>>,
        (next_part, dropped_through): (u64, u64),
    ) {
        self.next_part.store(next_part, Ordering::Relaxed);
        let mut stored = write(&self.stored);
        stored.set_parts(parts);
        stored.rollups = Arc::new(rollups);
        stored.changed_through = stored.changed_through.max(dropped_through);
    }

    /// Its rollups, also those that have outlived their parts, in no order.
    pub fn rollups(&self) -> Arc<Vec<Arc<PartHandle>>> {
        Arc::clone(&read(&self.stored).rollups)
    }

    /// Its parts and rollups, as they are at one moment.
    pub fn files(&self) -> Vec<Arc<PartHandle>> {
        let stored = read(&self.stored);
        stored.parts.iter().chain(stored.rollups.iter()).cloned().collect()
    }

    /// Puts other parts and rollups in the place of those there are, and drops from the tail what they hold: the L0 values below `next`.
    /// Returns the bytes that the tail gave up. What `keep` gives room to, of so many bytes, and the time that it is now, stays to answer as
    /// of earlier commits.
    pub(super) fn set_parts(
        &self,
        parts: Vec<Arc<PartHandle>>,
        rollups: Vec<Arc<PartHandle>>,
        next: u64,
        keep: impl FnOnce(u64) -> Option<(Taken, i64)>,
    ) -> u64 {
        let mut stored = write(&self.stored);
        let (view, from) = (stored.snapshot(u64::MAX), stored.changed_through);
        stored.set_parts(parts);
        stored.rollups = Arc::new(rollups);
        let bytes = stored.tail.drop_below(next);
        let commits = from..stored.changed_through;
        if !commits.is_empty()
            && let Some((room, sealed_ns)) = keep(bytes)
        {
            stored.past.push(Past {
                view,
                commits,
                sealed_ns,
                _room: room,
            });
        }
        bytes
    }

    /// Lets go of what is kept of rows that were sealed before a time.
    pub(super) fn forget_past(&self, before_ns: i64) {
        let is_old = |past: &Past| past.sealed_ns < before_ns;
        if read(&self.stored).past.iter().any(is_old) {
            // Dropped outside of the lock.
            let gone: Vec<Past> = write(&self.stored).past.extract_if(.., |past| is_old(past)).collect();
            drop(gone);
        }
    }

    /// Takes parts and rollups out, at a commit.
    pub(super) fn remove_parts(&self, gone: &[Arc<PartHandle>], commit: u64) {
        let mut stored = write(&self.stored);
        stored.past.clear();
        stored.changed_through = stored.changed_through.max(commit);
        let kept = |all: &[Arc<PartHandle>]| -> Vec<Arc<PartHandle>> {
            let is_kept = |part: &&Arc<PartHandle>| !gone.iter().any(|other| Arc::ptr_eq(other, part));
            all.iter().filter(is_kept).cloned().collect()
        };
        let (parts, rollups) = (kept(&stored.parts), kept(&stored.rollups));
        stored.set_parts(parts);
        stored.rollups = Arc::new(rollups);
    }

    /// Drops every row from memory; who holds a snapshot keeps them. Returns the bytes of the tail, and the parts and rollups.
    pub(super) fn clear_rows(&self) -> (u64, Vec<Arc<PartHandle>>) {
        let mut stored = write(&self.stored);
        stored.past.clear();
        let (parts, rollups) = (std::mem::take(&mut stored.parts), std::mem::take(&mut stored.rollups));
        (
            stored.tail.clear(),
            parts.iter().chain(rollups.iter()).cloned().collect(),
        )
    }

    /// Commit of the newest rows; 0 without any.
    pub fn last_commit(&self) -> u64 {
        let stored = read(&self.stored);
        stored.tail.newest_commit().max(stored.sealed_through)
    }

    /// The watermark at `now`; none without rows.
    pub fn watermark(&self, now: i64) -> Option<i64> {
        let policy = self.policy();
        lock(&self.watermark).advance(now, &policy)
    }

    /// The watermark's state, to change and to store.
    pub fn watermark_state(&self) -> MutexGuard<'_, Watermark> {
        lock(&self.watermark)
    }

    /// What moves the watermark.
    pub fn policy(&self) -> Policy {
        let schema = self.schema();
        Policy {
            out_of_orderness_ns: schema.settings.out_of_orderness_ns,
            allowed_lateness_ns: schema.settings.allowed_lateness_ns,
            idle_after_ns: schema.settings.idle_after_ns,
        }
    }

    /// The counters, to read and, for the committer, to change.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }

    /// Whether a commit holds it: until then a restart forgets it, and listings leave it out.
    pub fn is_durable(&self) -> bool {
        self.durable.load(Ordering::Acquire)
    }

    /// Marks it durable.
    pub(super) fn mark_durable(&self) {
        self.durable.store(true, Ordering::Release);
    }

    /// Takes settings and descriptions back from `changed` to `old` where nobody has changed them since: what was to become
    /// durable did not. Columns stay: rows that name them may be on their way, and a column's number is given out once. Like
    /// those that a write adds, they become durable with the stream's next commit.
    pub(super) fn revert_schema(&self, changed: &Schema, old: &Schema) {
        let mut current = write(&self.schema);
        let mut next = Schema::clone(&current);
        if next.settings == changed.settings {
            next.settings.clone_from(&old.settings);
        }
        let both = changed.columns.iter().zip(&old.columns);
        for (column, (changed, old)) in next.columns.iter_mut().zip(both) {
            if column == changed {
                column.clone_from(old);
            }
        }
        if next != **current {
            next.version = current.version + 1;
            *current = Arc::new(next);
        }
    }

    /// Whether it has been deleted: a write that still holds it is refused.
    pub fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Acquire)
    }

    /// Marks it deleted.
    pub(super) fn mark_deleted(&self) {
        self.deleted.store(true, Ordering::Release);
    }
}

impl Symbols {
    /// The dictionary for reading.
    pub fn read(&self) -> RwLockReadGuard<'_, Dictionary> {
        read(&self.dictionary)
    }

    /// Codes of texts; pending until a commit of the stream.
    pub fn intern<'a>(&self, texts: impl Iterator<Item = &'a str>) -> Vec<u32> {
        intern_all(
            &self.dictionary,
            |dictionary| dictionary,
            |dictionary| dictionary,
            texts,
        )
    }
}

fn add_series(entities: &mut Entities, schema: &Schema, text: &str) -> u32 {
    let before = entities.dictionary.len();
    let code = entities.dictionary.intern(text);
    if code == before {
        add_labels(entities, schema, code, text);
    }
    code
}

fn add_labels(entities: &mut Entities, schema: &Schema, code: u32, text: &str) {
    for (name, value) in series::parse(text).unwrap_or_default() {
        if let Some(column) = schema.column(&name)
            && column.column_type == ColumnType::Label
        {
            entities.series.add(code, column.id, &value);
        }
    }
}

/// Looks all texts up under the read lock; takes the write lock only if one is new.
fn intern_all<'a, T>(
    shared: &RwLock<T>,
    get: impl Fn(&T) -> &Dictionary,
    get_mut: impl Fn(&mut T) -> &mut Dictionary,
    texts: impl Iterator<Item = &'a str>,
) -> Vec<u32> {
    let texts: Vec<&str> = texts.collect();
    let mut codes: Vec<u32> = {
        let shared = read(shared);
        texts.iter().map(|text| get(&shared).get(text).unwrap_or(0)).collect()
    };
    if codes.contains(&0) {
        let mut shared = write(shared);
        for (code, text) in codes.iter_mut().zip(&texts).filter(|(code, _)| **code == 0) {
            *code = get_mut(&mut shared).intern(text);
        }
    }
    codes
}

// A thread that panicked under one of these locks left data that is still sound: every change is a single push or swap.
fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

fn lock<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
