//! Figures of the running engine as a dict; `_core.pyi` lists the keys.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::streams;
use crate::query::Queries;
use crate::store::{Ledger, NamespaceId, Store, StoreStatus};

/// Streams that are listed at most.
const LISTED: usize = 1_000;

/// The store's figures, with the ledger and the streams of one namespace.
pub(super) fn to_dict<'py>(
    py: Python<'py>,
    store: &Store,
    status: &StoreStatus,
    queries: &Queries,
    namespace: NamespaceId,
) -> PyResult<Bound<'py, PyDict>> {
    let now = store.clock().now();
    let listed = PyList::empty(py);
    let mut ledger = Ledger::default();
    for (i, stream) in store.streams(namespace).iter().enumerate() {
        ledger.merge(&stream.ledger());
        if i < LISTED {
            let rates = &status.streams; // in ascending order
            let found = rates.binary_search_by_key(&(namespace, stream.id), |rate| (rate.namespace, rate.stream));
            let rate = found.ok().map(|at| rates[at].rows_per_second);
            let item = PyDict::new(py);
            item.set_item("name", &stream.name)?;
            item.set_item("rows", stream.rows())?;
            item.set_item("entities", stream.entities().dictionary.len() - 1)?;
            item.set_item("watermark_ns", stream.watermark(now))?;
            item.set_item("rows_per_second", rate.unwrap_or(0.0))?;
            let (parts, sealed_rows, sealed_bytes) = stream.sealed_size();
            item.set_item("sealed_rows", sealed_rows)?;
            item.set_item("parts", parts)?;
            item.set_item("sealed_bytes", sealed_bytes)?;
            listed.append(item)?;
        }
    }
    let dict = PyDict::new(py);
    dict.set_item("accepting", status.accepting.is_ok())?;
    dict.set_item(
        "refusal_reason",
        status.accepting.as_ref().err().map_or("", |error| error.reason()),
    )?;
    dict.set_item("tail_rows", status.tail_rows)?;
    dict.set_item("tail_bytes", status.tail_bytes)?;
    dict.set_item("tail_limit_bytes", status.tail_limit_bytes)?;
    dict.set_item("queue_bytes", status.queue_bytes)?;
    dict.set_item("dictionary_bytes", status.dictionary_bytes)?;
    dict.set_item("commits", status.commits)?;
    dict.set_item("commit_p50_ns", status.commit_p50_ns)?;
    dict.set_item("commit_p99_ns", status.commit_p99_ns)?;
    dict.set_item("rows_per_second", status.rows_per_second)?;
    dict.set_item("bytes_per_second", status.bytes_per_second)?;
    dict.set_item("disk_bytes", status.disk_bytes)?;
    dict.set_item("disk_free_bytes", status.free_bytes)?;
    let (running, waiting) = queries.running();
    dict.set_item("queries_running", running)?;
    dict.set_item("queries_waiting", waiting)?;
    let (found, maps) = (&status.maps, PyDict::new(py));
    maps.set_item("hot_limit_bytes", found.hot_limit_bytes)?;
    maps.set_item("hot_bytes", found.hot_bytes)?;
    maps.set_item("parts", found.parts)?;
    maps.set_item("part_bytes", found.part_bytes)?;
    dict.set_item("maps", maps)?;
    let (found, cache) = (queries.cache_figures(), PyDict::new(py));
    cache.set_item("answers", found.answers)?;
    cache.set_item("bytes", found.bytes)?;
    cache.set_item("limit_bytes", found.limit_bytes)?;
    cache.set_item("hits", found.hits)?;
    cache.set_item("misses", found.misses)?;
    dict.set_item("result_cache", cache)?;
    let (sealing, figures) = (&status.sealing, PyDict::new(py));
    figures.set_item("lag_rows", sealing.lag_rows)?;
    figures.set_item("lag_bytes", sealing.lag_bytes)?;
    figures.set_item("lag_ns", sealing.lag_ns)?;
    figures.set_item("parts", sealing.parts)?;
    figures.set_item("sealed_rows", sealing.rows)?;
    figures.set_item("sealed_bytes", sealing.bytes)?;
    figures.set_item("seals", sealing.seals)?;
    figures.set_item("footer_bytes", sealing.footer_bytes)?;
    let failure = sealing.failure.as_ref();
    figures.set_item("failure_reason", failure.map_or("", |error| error.reason()))?;
    figures.set_item("damaged_parts", sealing.damaged_parts)?;
    dict.set_item("sealing", figures)?;
    dict.set_item("ledger", streams::ledger_dict(py, &ledger)?)?;
    dict.set_item("streams", listed)?;
    Ok(dict)
}
