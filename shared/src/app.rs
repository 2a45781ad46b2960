use crate::Config;

#[derive(Clone)]
pub struct App {}

impl App {
    pub fn new(_config: Config) -> Self {
        Self {}
    }
}
