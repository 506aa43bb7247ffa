//! Bytes of the contract: visitors over hot messages, generated classes for the rest, encoders of answers.

pub mod answers;
pub mod batch;
pub mod cursor;
pub mod describe;
pub mod envelope;
pub mod events;
pub mod v1;
