//! What we store and reason about: value types that parse, and the things that lie in the table.

pub mod activity;
pub mod audience;
pub mod days;
pub mod deletion;
pub mod fields;
mod fold;
pub mod following;
pub mod group;
pub mod media;
pub mod names;
pub mod notification;
pub mod post;
pub mod report;
pub mod scheduled;
pub mod search;
pub mod second_factor;
pub mod session;
pub mod settings;
pub mod socket;
pub mod suggestions;
pub mod text;
pub mod trend;
pub mod user;
pub mod viewer;
