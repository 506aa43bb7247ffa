//! What a request says around its rows, checked.

use super::lane::WriterKey;
use super::{WriteMethod, WriteSession};
use crate::column::StreamKind;
use crate::column::schema::check_stream_id;
use crate::error::{Error, Result};
use crate::store::NamespaceId;
use crate::wire::envelope::Envelope;

/// Most bytes of a TrackEvents request; those of Write and WriteStream are bounded by the port.
const MAX_TRACK_BYTES: usize = 4 << 20;
/// Stream of events that name none.
const DEFAULT_EVENTS: &str = "events";

/// The envelope, owned.
#[derive(Debug)]
pub(super) struct Ask {
    /// Namespace of the caller.
    pub namespace: NamespaceId,
    /// Method called.
    pub method: WriteMethod,
    /// Stream id.
    pub stream: String,
    /// Kind the stream is said to have.
    pub kind: Option<StreamKind>,
    /// Writer, if the batch has one.
    pub writer: Option<WriterKey>,
    /// Its epoch.
    pub epoch: u64,
    /// Number of the batch.
    pub sequence: u64,
    /// Refuse the batch for one bad row.
    pub atomic: bool,
}

impl Ask {
    /// Reads and checks an envelope.
    pub(super) fn read(
        namespace: NamespaceId,
        method: WriteMethod,
        session: Option<&WriteSession>,
        bytes: &[u8],
    ) -> Result<Self> {
        if method == WriteMethod::TrackEvents && bytes.len() > MAX_TRACK_BYTES {
            let message = format!(
                "a TrackEvents request has at most {MAX_TRACK_BYTES} bytes, got {}",
                bytes.len()
            );
            return Err(Error::invalid("MESSAGE_TOO_LARGE", "", message));
        }
        let envelope = envelope(method, bytes)?;
        check_stream_id("stream", envelope.stream)?;
        let kind = kind(method, envelope.kind)?;
        check_durability(envelope.durability)?;
        let (writer, epoch) = match session {
            Some(session) => session.resolve(envelope.writer, envelope.epoch)?,
            None => (envelope.writer, envelope.epoch),
        };
        if writer.is_empty() && (envelope.sequence != 0 || epoch != 0) {
            let message = "a sequence and an epoch belong to a writer, got none";
            return Err(Error::invalid("WRITER_MISSING", "writer", message));
        }
        if !writer.is_empty() && envelope.sequence == 0 {
            let message = format!("batches of a writer are numbered from 1, got none from {writer:?}");
            return Err(Error::invalid("SEQUENCE_MISSING", "sequence", message));
        }
        let writer = (!writer.is_empty()).then(|| WriterKey {
            namespace,
            name: writer.to_owned(),
        });
        Ok(Self {
            namespace,
            method,
            stream: envelope.stream.to_owned(),
            kind,
            writer,
            epoch,
            sequence: envelope.sequence,
            atomic: envelope.atomic,
        })
    }
}

/// The envelope of a request.
pub(super) fn envelope(method: WriteMethod, bytes: &[u8]) -> Result<Envelope<'_>> {
    match method {
        WriteMethod::Write | WriteMethod::WriteStream => Envelope::of_write(bytes),
        WriteMethod::TrackEvents => {
            let mut envelope = Envelope::of_events(bytes)?;
            if envelope.stream.is_empty() {
                envelope.stream = DEFAULT_EVENTS;
            }
            Ok(envelope)
        }
    }
}

fn kind(method: WriteMethod, number: i32) -> Result<Option<StreamKind>> {
    if method == WriteMethod::TrackEvents {
        return Ok(Some(StreamKind::Event));
    }
    match u8::try_from(number) {
        Ok(0) => Ok(None),
        Ok(number) if StreamKind::from_number(number).is_some() => Ok(StreamKind::from_number(number)),
        _ => {
            let message = format!("a stream's kind is STREAM_KIND_EVENT or STREAM_KIND_METRIC, got {number}");
            Err(Error::invalid("BAD_KIND", "kind", message))
        }
    }
}

fn check_durability(number: i32) -> Result<()> {
    match number {
        0 | 1 => Ok(()),
        2 | 3 => Err(Error::unsupported("durability")),
        other => {
            let message = format!("durability is DURABILITY_COMMITTED, got {other}");
            Err(Error::invalid("BAD_DURABILITY", "durability", message))
        }
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::error::Kind;
    use crate::wire::v1;

    fn read(request: &v1::WriteRequest) -> Result<Ask> {
        Ask::read(NamespaceId(1), WriteMethod::Write, None, &request.encode_to_vec())
    }

    fn cpu() -> v1::WriteRequest {
        v1::WriteRequest {
            stream: "cpu".into(),
            ..v1::WriteRequest::default()
        }
    }

    #[test]
    fn a_writer_numbers_its_batches() {
        let ask = |writer: &str, epoch, sequence| {
            read(&v1::WriteRequest {
                writer: writer.into(),
                epoch,
                sequence,
                ..cpu()
            })
        };
        assert_eq!(ask("w", 1, 0).unwrap_err().reason(), "SEQUENCE_MISSING");
        assert_eq!(ask("", 0, 1).unwrap_err().reason(), "WRITER_MISSING");
        assert_eq!(ask("", 1, 0).unwrap_err().reason(), "WRITER_MISSING");
        assert_eq!(ask("w", 1, 1).unwrap().writer.unwrap().name, "w");
        assert!(ask("", 0, 0).unwrap().writer.is_none());
    }

    #[test]
    fn only_committed_durability_is_served() {
        let ask = |durability| read(&v1::WriteRequest { durability, ..cpu() });
        assert!(ask(0).is_ok() && ask(1).is_ok());
        assert_eq!(ask(2).unwrap_err().kind(), Kind::Unsupported);
        assert_eq!(ask(9).unwrap_err().reason(), "BAD_DURABILITY");
    }

    #[test]
    fn names_and_kinds_are_checked() {
        let ask = |stream: &str, kind| {
            read(&v1::WriteRequest {
                stream: stream.into(),
                kind,
                ..cpu()
            })
        };
        assert_eq!(ask("", 0).unwrap_err().reason(), "BAD_STREAM_ID");
        assert_eq!(ask("a/b", 0).unwrap_err().field(), "stream");
        assert_eq!(ask("a", 7).unwrap_err().reason(), "BAD_KIND");
        assert_eq!(ask("a", -1).unwrap_err().reason(), "BAD_KIND");
        assert_eq!(ask("a", 1).unwrap().kind, Some(StreamKind::Event));
    }

    #[test]
    fn events_have_a_stream_of_their_own_and_a_bound() {
        let ask = |bytes: &[u8]| Ask::read(NamespaceId(1), WriteMethod::TrackEvents, None, bytes);
        assert_eq!(ask(b"").unwrap().stream, "events");
        let large = vec![0; MAX_TRACK_BYTES + 1];
        assert_eq!(ask(&large).unwrap_err().reason(), "MESSAGE_TOO_LARGE");
    }
}
