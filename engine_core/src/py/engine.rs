//! `Engine` and `WriteSession`: documented in `_core.pyi`, where their users read.

use std::os::fd::RawFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict, PyList, PyMapping};

use super::completions::Completions;
use super::{error, status, storage, streams, verify};
use crate::engine::{Engine, EngineOptions};
use crate::error::{Error, Result};
use crate::ingest::{WriteMethod, WriteSession};
use crate::query::{QueryMethod, Tickets};
use crate::store::{NamespaceId, Quota};

pub(super) const WRITE: u8 = 1;
pub(super) const WRITE_STREAM: u8 = 2;
pub(super) const TRACK_EVENTS: u8 = 3;
pub(super) const QUERY: u8 = 1;
pub(super) const STREAM_QUERY: u8 = 2;
pub(super) const LIST_EVENTS: u8 = 3;
pub(super) const GET_EVENT: u8 = 4;
pub(super) const EXPLORE_DIMENSION: u8 = 5;
pub(super) const EXPLAIN_QUERY: u8 = 6;

/// Exit code of a process whose committer panicked: what is on disk is sound, what is in memory may not be.
const COMMITTER_PANICKED: i32 = 70;

#[pyclass(name = "WriteSession", module = "marigram.engine._core", frozen)]
pub(super) struct PyWriteSession(WriteSession);

#[pymethods]
impl PyWriteSession {
    #[new]
    fn new() -> Self {
        Self(WriteSession::default())
    }
}

#[pyclass(name = "Engine", module = "marigram.engine._core", frozen)]
pub(super) struct PyEngine {
    pub(super) engine: Engine,
    completions: Arc<Completions>,
    queries: Tickets,
    tickets: AtomicU64,
}

impl PyEngine {
    fn ticket(&self) -> u64 {
        self.tickets.fetch_add(1, Ordering::Relaxed)
    }

    fn stream_dict<'py>(&self, py: Python<'py>, namespace: u32, name: &str) -> PyResult<Bound<'py, PyDict>> {
        let stream = self.engine.store.stream(NamespaceId(namespace), name)?;
        streams::to_dict(py, &stream, self.engine.store.clock().now())
    }
}

/// Options by name; one that is not known is an error.
fn options(given: &Bound<'_, PyMapping>) -> PyResult<EngineOptions> {
    let mut options = EngineOptions::default();
    for item in given.items()?.iter() {
        let (key, value): (String, Bound<'_, PyAny>) = item.extract()?;
        match key.as_str() {
            "map_size" => options.store.map_size = value.extract()?,
            "tail_limit_bytes" => options.store.tail_limit_bytes = value.extract()?,
            "quarantine_limit_bytes" => options.store.quarantine_limit_bytes = value.extract()?,
            "reserve_bytes" => options.store.reserve_bytes = value.extract()?,
            "min_free_bytes" => options.store.min_free_bytes = value.extract()?,
            "max_writers" => options.store.max_writers = value.extract()?,
            "allow_network_filesystem" => options.store.allow_network_filesystem = value.extract()?,
            "seals" => options.store.seals = value.extract()?,
            "scrub_bytes_per_second" => options.store.scrub_bytes_per_second = value.extract()?,
            "footer_bytes" => options.store.footer_bytes = value.extract()?,
            "seed" => options.store.seed = value.extract()?,
            "ingest_threads" => options.ingest_threads = value.extract()?,
            "query_workers" => options.query_workers = value.extract()?,
            "max_query_rows" => options.limits.max_rows = value.extract()?,
            "max_query_groups" => options.limits.max_groups = value.extract()?,
            "result_cache_bytes" => options.limits.cache_bytes = value.extract()?,
            "max_query_bytes" => options.limits.max_result_bytes = value.extract()?,
            _ => {
                let message = format!("{key:?} is no option of the engine");
                return Err(Error::invalid("UNKNOWN_OPTION", key, message).into());
            }
        }
    }
    Ok(options)
}

#[pymethods]
impl PyEngine {
    #[new]
    fn new(py: Python<'_>, path: PathBuf, options: &Bound<'_, PyMapping>) -> PyResult<Self> {
        let options = self::options(options)?;
        let engine = py.detach(move || Engine::open(&path, options))?;
        engine
            .store
            .set_committer_panic_hook(Box::new(|| std::process::exit(COMMITTER_PANICKED)));
        Ok(Self {
            engine,
            completions: Arc::new(Completions::new()?),
            queries: Tickets::default(),
            tickets: AtomicU64::new(1),
        })
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        Ok(py.detach(|| self.engine.close())?)
    }

    #[pyo3(signature = (namespace, method, request, session = None))]
    fn write(
        &self,
        py: Python<'_>,
        namespace: u32,
        method: u8,
        request: PyBackedBytes,
        session: Option<&Bound<'_, PyWriteSession>>,
    ) -> PyResult<u64> {
        let ticket = self.ticket();
        let completions = Arc::clone(&self.completions);
        let done = Box::new(move |answer: Result<Vec<u8>>| completions.post(ticket, answer.map(|bytes| vec![bytes])));
        let (namespace, request) = (NamespaceId(namespace), Box::new(request));
        let (ingest, session) = (&self.engine.ingest, session.map(|session| &session.get().0));
        py.detach(|| match (method, session) {
            (WRITE, None) => ingest.submit(namespace, WriteMethod::Write, request, done),
            (TRACK_EVENTS, None) => ingest.submit(namespace, WriteMethod::TrackEvents, request, done),
            (WRITE_STREAM, Some(session)) => ingest.submit_in(session, namespace, request, done),
            _ => done(Err(Error::internal(format!("write method {method}, or its session")))),
        });
        Ok(ticket)
    }

    fn query(&self, namespace: u32, method: u8, request: PyBackedBytes, timeout_ns: Option<i64>) -> PyResult<u64> {
        let method = match method {
            QUERY => QueryMethod::Query,
            STREAM_QUERY => QueryMethod::StreamQuery,
            LIST_EVENTS => QueryMethod::ListEvents,
            GET_EVENT => QueryMethod::GetEvent,
            EXPLORE_DIMENSION => QueryMethod::ExploreDimension,
            EXPLAIN_QUERY => QueryMethod::ExplainQuery,
            _ => return Err(Error::internal(format!("query method {method}")).into()),
        };
        let ticket = self.ticket();
        let completions = Arc::clone(&self.completions);
        let done = Box::new(move |answer: Result<Vec<Vec<u8>>>| completions.post(ticket, answer));
        let deadline = timeout_ns.map(|left| self.engine.store.clock().monotonic_ns().saturating_add(left));
        let (queries, whose) = (&self.engine.queries, (NamespaceId(namespace), method));
        self.queries
            .submit(queries, ticket, whose, Box::new(request), deadline, done);
        Ok(ticket)
    }

    fn cancel(&self, ticket: u64) {
        self.queries.cancel(ticket);
    }

    fn completion_fd(&self) -> RawFd {
        self.completions.descriptor()
    }

    fn completions<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for (ticket, answer) in self.completions.take() {
            let answer = match answer {
                Ok(messages) => PyList::new(py, messages.iter().map(|bytes| PyBytes::new(py, bytes)))?.into_any(),
                Err(failure) => error::exception(py, &failure)?,
            };
            list.append((ticket, answer))?;
        }
        Ok(list)
    }

    fn pressure(&self) -> (u32, u64) {
        let pressure = self.engine.store.pressure();
        (pressure.throttle_percent, pressure.advised_window_bytes)
    }

    fn unsound_indexes(&self) -> Vec<String> {
        let found = self.engine.store.unsound_indexes().iter();
        found.map(|error| error.detail().to_owned()).collect()
    }

    fn open_writer(&self, py: Python<'_>, namespace: u32, writer: &str) -> PyResult<(u64, u64)> {
        Ok(py.detach(|| self.engine.store.open_writer(NamespaceId(namespace), writer))?)
    }

    fn create_namespace(&self, py: Python<'_>, name: &str) -> PyResult<u32> {
        Ok(py.detach(|| self.engine.store.create_namespace(name))?.0)
    }

    fn namespace_id(&self, name: &str) -> Option<u32> {
        self.engine.store.namespace(name).map(|id| id.0)
    }

    fn namespaces(&self) -> Vec<(String, u32)> {
        let all = self.engine.store.namespaces();
        all.into_iter().map(|(name, id)| (name, id.0)).collect()
    }

    fn set_stream_creation(&self, py: Python<'_>, namespace: u32, allowed: bool) -> PyResult<()> {
        let namespace = NamespaceId(namespace);
        Ok(py.detach(|| self.engine.store.set_namespace_creates_streams(namespace, allowed))?)
    }

    fn stream_creation(&self, namespace: u32) -> bool {
        self.engine.store.namespace_creates_streams(NamespaceId(namespace))
    }

    fn set_quota(&self, py: Python<'_>, namespace: u32, max_rows: u64, max_bytes: u64) -> PyResult<()> {
        let quota = Quota { max_rows, max_bytes };
        Ok(py.detach(|| self.engine.store.set_namespace_quota(NamespaceId(namespace), quota))?)
    }

    fn quota(&self, py: Python<'_>, namespace: u32) -> PyResult<(u64, u64, u64, u64)> {
        let (quota, usage) = py.detach(|| self.engine.store.namespace_usage(NamespaceId(namespace)))?;
        Ok((quota.max_rows, quota.max_bytes, usage.rows, usage.bytes))
    }

    fn create_stream<'py>(
        &self,
        py: Python<'py>,
        namespace: u32,
        spec: &Bound<'py, PyMapping>,
    ) -> PyResult<(Bound<'py, PyDict>, u64)> {
        let (name, kind) = streams::name_and_kind(spec)?;
        let schema = streams::Changes::from_mapping(spec)?.into_schema(kind)?;
        let namespace = NamespaceId(namespace);
        let (stream, commit) = py.detach(|| self.engine.store.create_stream(namespace, &name, schema))?;
        Ok((streams::to_dict(py, &stream, self.engine.store.clock().now())?, commit))
    }

    fn stream<'py>(&self, py: Python<'py>, namespace: u32, name: &str) -> PyResult<Bound<'py, PyDict>> {
        self.stream_dict(py, namespace, name)
    }

    fn streams<'py>(&self, py: Python<'py>, namespace: u32, after: &str, limit: usize) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        let now = self.engine.store.clock().now();
        let all = self.engine.store.streams(NamespaceId(namespace));
        for stream in all.iter().filter(|stream| stream.name.as_str() > after).take(limit) {
            list.append(streams::to_dict(py, stream, now)?)?;
        }
        Ok(list)
    }

    fn update_stream<'py>(
        &self,
        py: Python<'py>,
        namespace: u32,
        name: &str,
        version: u64,
        changes: &Bound<'py, PyMapping>,
    ) -> PyResult<(Bound<'py, PyDict>, u64)> {
        let changes = streams::Changes::from_mapping(changes)?;
        let id = NamespaceId(namespace);
        let change = |schema: &mut _| changes.apply(schema);
        let (stream, commit) = py.detach(|| self.engine.store.update_stream(id, name, version, change))?;
        Ok((streams::to_dict(py, &stream, self.engine.store.clock().now())?, commit))
    }

    fn delete_stream(&self, py: Python<'_>, namespace: u32, name: &str) -> PyResult<(u64, u64)> {
        Ok(py.detach(|| self.engine.store.delete_stream(NamespaceId(namespace), name))?)
    }

    fn seal(&self, py: Python<'_>, namespace: u32, name: &str) -> PyResult<(u64, u64, u64)> {
        let store = &self.engine.store;
        let report = py.detach(|| store.seal(&store.stream(NamespaceId(namespace), name)?))?;
        Ok((report.rows, report.parts, report.bytes))
    }

    fn recode(&self, py: Python<'_>, namespace: u32, name: &str, before_ns: Option<i64>) -> PyResult<(u64, u64, u64)> {
        let store = &self.engine.store;
        let report = py.detach(|| store.recode(&store.stream(NamespaceId(namespace), name)?, before_ns))?;
        Ok((report.parts, report.bytes_before, report.bytes_after))
    }

    fn apply_retention(
        &self,
        py: Python<'_>,
        namespace: u32,
        name: &str,
        dry_run: bool,
    ) -> PyResult<(u64, u64, u64, Option<i64>)> {
        let store = &self.engine.store;
        let report = py.detach(|| store.apply_retention(&store.stream(NamespaceId(namespace), name)?, dry_run))?;
        Ok((report.parts, report.rows, report.bytes, report.before_ns))
    }

    fn get_document<'py>(
        &self,
        py: Python<'py>,
        namespace: u32,
        room: &str,
        name: &str,
    ) -> PyResult<Option<(Bound<'py, PyBytes>, u64)>> {
        let found = py.detach(|| self.engine.store.documents().get(NamespaceId(namespace), room, name))?;
        Ok(found.map(|(data, version)| (PyBytes::new(py, &data), version)))
    }

    fn put_document(
        &self,
        py: Python<'_>,
        namespace: u32,
        room: &str,
        name: &str,
        data: &[u8],
        expected: Option<u64>,
    ) -> PyResult<u64> {
        let namespace = NamespaceId(namespace);
        Ok(py.detach(|| self.engine.store.documents().put(namespace, room, name, data, expected))?)
    }

    fn delete_document(
        &self,
        py: Python<'_>,
        namespace: u32,
        room: &str,
        name: &str,
        expected: Option<u64>,
    ) -> PyResult<()> {
        let namespace = NamespaceId(namespace);
        Ok(py.detach(|| self.engine.store.documents().delete(namespace, room, name, expected))?)
    }

    fn list_documents<'py>(
        &self,
        py: Python<'py>,
        namespace: u32,
        room: &str,
        after: &str,
        limit: usize,
    ) -> PyResult<Vec<(String, Bound<'py, PyBytes>, u64)>> {
        let namespace = NamespaceId(namespace);
        let found = py.detach(|| self.engine.store.documents().list(namespace, room, after, limit))?;
        Ok(found
            .into_iter()
            .map(|(id, data, version)| (id, PyBytes::new(py, &data), version))
            .collect())
    }

    fn status<'py>(&self, py: Python<'py>, namespace: u32) -> PyResult<Bound<'py, PyDict>> {
        let store = &self.engine.store;
        let found = py.detach(|| store.status());
        status::to_dict(py, store, &found, &self.engine.queries, NamespaceId(namespace))
    }

    fn storage<'py>(&self, py: Python<'py>, namespace: u32, name: &str) -> PyResult<Bound<'py, PyDict>> {
        let store = &self.engine.store;
        let (stream, found) = py.detach(|| {
            let stream = store.stream(NamespaceId(namespace), name)?;
            store.storage(&stream).map(|found| (stream, found))
        })?;
        storage::to_dict(py, &stream, &found)
    }

    fn verify<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        verify::to_dict(py, py.detach(|| self.engine.store.verify()))
    }
}
