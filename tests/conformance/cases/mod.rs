//! The cases, by what they are about.

pub(crate) mod closing;
pub(crate) mod doors;
pub(crate) mod reading;
pub(crate) mod soak;
pub(crate) mod streams;
