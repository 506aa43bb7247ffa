//! What the first message of a WriteStream says for all of them.

use std::sync::OnceLock;

use crate::error::{Error, Result};

/// Writer and epoch of one WriteStream call.
#[derive(Debug, Default)]
pub struct WriteSession(OnceLock<(String, u64)>);

impl WriteSession {
    /// Writer and epoch of a message: the first names them, later ones repeat them or say nothing.
    pub fn resolve(&self, writer: &str, epoch: u64) -> Result<(&str, u64)> {
        if self.0.get().is_none() && writer.is_empty() {
            let message = "the first message of a stream names its writer and epoch, got no writer";
            return Err(Error::invalid("WRITER_MISSING", "writer", message));
        }
        let (known, known_epoch) = self.0.get_or_init(|| (writer.to_owned(), epoch));
        if !writer.is_empty() && writer != known {
            let message = format!("a stream keeps its writer {known:?}, got {writer:?}");
            return Err(Error::invalid("WRITER_CHANGED", "writer", message));
        }
        if epoch != 0 && epoch != *known_epoch {
            let message = format!("a stream keeps its epoch {known_epoch}, got {epoch}");
            return Err(Error::invalid("WRITER_CHANGED", "epoch", message));
        }
        Ok((known, *known_epoch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_message_speaks_for_all() {
        let session = WriteSession::default();
        assert_eq!(session.resolve("", 0).unwrap_err().reason(), "WRITER_MISSING");
        assert_eq!(session.resolve("w", 3).unwrap(), ("w", 3));
        assert_eq!(session.resolve("", 0).unwrap(), ("w", 3));
        assert_eq!(session.resolve("w", 3).unwrap(), ("w", 3));
        assert_eq!(session.resolve("v", 3).unwrap_err().reason(), "WRITER_CHANGED");
        assert_eq!(session.resolve("w", 4).unwrap_err().field(), "epoch");
    }
}
