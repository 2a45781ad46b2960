//! The whole service over HTTP: real router, real template, embedded services.

#![expect(clippy::expect_used, clippy::print_stdout, clippy::unwrap_used, reason = "a test that fails panics; figures are printed")]

mod budgets;
mod crash;
mod load;
mod readme;
mod support;

mod accounts;
mod contract;
mod matrix;
mod paths;
mod runtime;
mod samples;
mod posts;
mod feed;
mod merged;
mod likes;
mod sessions;
mod throttle;
mod graph;
mod notifications;
mod redelivery;
mod journeys;
