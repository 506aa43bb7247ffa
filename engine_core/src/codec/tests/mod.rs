//! What codecs must do on columns as they come and at their worst.

mod integers;
mod samples;
