//! Encoders of answers to writes. Small messages, so the generated classes do.

use prost::Message;

use super::v1;
use crate::column::RejectCounts;

/// Rows by the rule they broke, as answers carry them.
pub fn rejection_counts(counts: &RejectCounts) -> Vec<v1::RejectionCount> {
    counts
        .iter()
        .map(|(reason, rows)| v1::RejectionCount {
            reason: reason.name().to_owned(),
            rows,
        })
        .collect()
}

/// Bytes of a WriteResponse.
pub fn write_response(outcome: &v1::WriteResponse) -> Vec<u8> {
    outcome.encode_to_vec()
}

/// Bytes of a BatchOutcome, which the server gathers into cumulative acks.
pub fn batch_outcome(sequence: u64, outcome: &v1::WriteResponse) -> Vec<u8> {
    v1::BatchOutcome {
        sequence,
        outcome: Some(outcome.clone()),
    }
    .encode_to_vec()
}

/// Bytes of a TrackEventsResponse whose results are encoded already, as the fields they are in it.
pub fn track_events_response(outcome: &v1::WriteResponse, results: &[u8]) -> Vec<u8> {
    let mut bytes = v1::TrackEventsResponse {
        outcome: Some(outcome.clone()),
        results: Vec::new(),
    }
    .encode_to_vec();
    bytes.extend_from_slice(results);
    bytes
}
