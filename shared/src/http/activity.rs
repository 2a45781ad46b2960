//! The activity log's row of each write: one place, so that a new endpoint can't forget it.

use super::{Noted, openapi};
use crate::App;
use crate::ids::{ActivityId, UserId};
use crate::models::activity::{Activity, ActivityType, Origin, Target};
use axum::response::Response;
use http::{Method, StatusCode, header};
use std::collections::HashMap;
use utoipa::openapi::OpenApi;

/// What a handler tells the log beside what its request and answer say.
#[derive(Clone, Debug, Default)]
pub(super) struct ActivityDetails {
    pub(super) kind: Option<ActivityType>,
    pub(super) target: Option<Target>,
    pub(super) origin: Origin,
}

/// The writes of a router, by their ids.
pub(super) struct Writes(HashMap<(Method, String), String>);

impl Writes {
    pub(super) fn of(document: OpenApi) -> Self {
        Self(openapi::operation_ids(document).filter(|((method, _), _)| method != Method::GET).collect())
    }

    /// The operation of a write.
    pub(super) fn named(&self, method: &Method, route: &str) -> Option<&str> {
        self.0.get(&(method.clone(), route.to_owned())).map(String::as_str)
    }
}

/// The row of a write that succeeded, and in whose log it goes. None for one that leaves no row.
pub(super) fn row(
    app: &App,
    operation: &str,
    path: &str,
    noted: &Noted,
    response: &Response,
) -> Option<(UserId, Activity)> {
    let user = noted.user.filter(|_| response.status().is_success())?;
    let made = made(response);
    let details = noted.details.clone();
    let target = details.target.or_else(|| made.clone()).or_else(|| Target::in_path(path));
    let logged = ActivityType::logged(operation, target.as_ref())?;
    // What is answered again is logged again as the same row, should the first answer have got lost before it.
    let id = made.and_then(|made| made.made_by()).unwrap_or_else(|| ActivityId::new(app.now()));
    Some((user, Activity::new(id, details.kind.unwrap_or(logged), target, details.origin, app.config().activity_kept)))
}

/// What a write made, by where the answer says that it is.
fn made(response: &Response) -> Option<Target> {
    let location = response.headers().get(header::LOCATION).filter(|_| response.status() == StatusCode::CREATED)?;
    Target::in_path(location.to_str().ok()?)
}
