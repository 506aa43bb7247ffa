//! Bytes of the contract: visitors over hot messages, generated classes for the rest, encoders of answers.

pub mod v1;
