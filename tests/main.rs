//! The whole service over HTTP: real router, real template, embedded services.

mod support;

mod accounts;
mod contract;
mod paths;
mod runtime;
mod samples;
mod sessions;
mod throttle;
