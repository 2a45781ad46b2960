pub mod app;
pub mod config;
pub mod http;
pub mod lambda;

pub use app::App;
pub use config::Config;
