//! What codecs must do on columns as they come and at their worst.

mod bitmap;
mod blocks;
mod floats;
mod fuzz;
mod integers;
mod layout;
mod samples;
mod text;
