//! Response types and the read pipeline that more than one function uses.

pub mod activity;
pub mod feed;
pub mod group;
pub mod media;
pub mod notification;
pub mod post;
pub mod posts_by;
pub mod scheduled;
pub mod session;
pub mod suggestions;
pub mod user;
