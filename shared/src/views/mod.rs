//! Response types and the read pipeline that more than one function uses.

pub mod user;
