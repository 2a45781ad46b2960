//! Reports of posts, and moderation.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures::future::try_join;
use http::StatusCode;
use serde::Serialize;
use shared::error::{Error, FieldError, Kind, Result};
use shared::http::etag::{IfMatch, Tagged};
use shared::http::extract::{Json, Path, PostPath};
use shared::http::rate_limits::Action;
use shared::http::{Bearer, Page, PageParams, PageQuery, View};
use shared::ids::{PostId, ReportId, UserId};
use shared::models::fields::{Fields, FromFields};
use shared::models::report::{Decision, Details, Outcome, Reason, Report, ReportAction, ReportStatus};
use shared::table::Read;
use shared::{App, store, visibility};

/// Why a post is reported.
#[derive(utoipa::ToSchema)]
pub(crate) struct NewReport {
    #[schema(value_type = Option<Reason>, default = "other")]
    reason: Reason,
    /// Up to 1,000 characters.
    #[schema(value_type = Option<String>, example = "The same link under every post.", max_length = 1000)]
    details: Option<Details>,
}

impl FromFields for NewReport {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (reason, details) = (fields.optional("reason"), fields.optional("details"));
        Some(Self { reason: reason?.unwrap_or(Reason::Other), details: details? })
    }
}

/// That a report has arrived.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ReportReceived {
    #[schema(example = "A moderator will look at it.")]
    detail: &'static str,
}

/// Report a post
///
/// Or a comment.
///
/// Once per person and post: doing it again answers the same and adds nothing. Its author never learns who did.
#[utoipa::path(
    post, path = "/posts/{id}/report", tag = "moderation", params(PostPath), security(("bearer" = [])),
    request_body(content = Option<NewReport>, example = json!({"reason": "spam", "details": "The same link under every post."})),
    extensions(("x-limit" = json!("report"))),
    responses((status = 202, description = "A moderator will look at it", body = ReportReceived))
)]
pub(crate) async fn report_post(
    State(app): State<App>,
    bearer: Bearer,
    Path(PostPath { id }): Path<PostPath>,
    body: Option<Json<NewReport>>,
) -> Result<Response> {
    let NewReport { reason, details } =
        body.map_or(NewReport { reason: Reason::Other, details: None }, |Json(body)| body);
    let post = store::posts::get_visible(&app, id, Read::Confirmed);
    let (viewer, post) = try_join(bearer.acting(&app, Action::Report), post).await?;
    let (post, _) = post.ok_or_else(Error::not_found)?;
    visibility::ensure_visible_in_place(&app, Some(&viewer), id).await?;
    if id.author == bearer.id() {
        return Err(Error::invalid(vec![FieldError::new("id", "oneself", "You can't report yourself.")]));
    }
    let report = Report {
        id: ReportId::new(app.now()),
        post: id,
        reporter: Some(bearer.id()),
        reason,
        details,
        content: post.content,
        status: ReportStatus::Open,
        handled: None,
        ver: 1,
    };
    store::reports::create(&app, &report).await?;
    Ok((StatusCode::ACCEPTED, View(ReportReceived { detail: "A moderator will look at it." })).into_response())
}

/// A report, for moderators.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ReportView {
    id: ReportId,
    post_id: PostId,
    author_id: UserId,
    /// Null once that account is deleted.
    #[schema(required = true)]
    reporter_id: Option<UserId>,
    reason: Reason,
    #[schema(value_type = Option<String>)]
    details: Option<Details>,
    /// What the post said when it was reported.
    content: String,
    status: ReportStatus,
    /// The last that was done about it.
    #[schema(required = true)]
    action: Option<ReportAction>,
    /// The moderator who decided last.
    #[schema(required = true)]
    handled_by: Option<UserId>,
    #[schema(format = DateTime, required = true)]
    handled_at: Option<String>,
    /// RFC 3339, UTC, with milliseconds.
    #[schema(format = DateTime)]
    created_at: String,
}

impl From<Report> for ReportView {
    fn from(report: Report) -> Self {
        let (action, handled) = (report.action(), report.handled);
        Self {
            id: report.id,
            post_id: report.post,
            author_id: report.post.author,
            reporter_id: report.reporter,
            reason: report.reason,
            details: report.details,
            content: report.content,
            status: report.status,
            action,
            handled_by: handled.and_then(|handled| handled.by),
            handled_at: handled.map(|handled| handled.at.rfc3339()),
            created_at: report.id.created_at().rfc3339(),
        }
    }
}

/// Which reports to list, for the documentation.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documentation")]
pub(crate) struct ReportParams {
    /// Those of this status.
    #[param(default = "open", example = "open")]
    status: Option<ReportStatus>,
}

/// `/reports/{id}`
#[derive(Clone, Copy, Debug, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct ReportPath {
    /// A report's id.
    #[param(value_type = ReportId, example = "rpt_01K9ZQ7A4M2T8Q6M5N4C1B0A9Z")]
    id: ReportId,
}

/// List reports
///
/// Newest first; for moderators.
///
/// Without a `status` those that are open. Reports of one's own posts are for other moderators.
#[utoipa::path(
    get, path = "/reports", tag = "moderation", params(ReportParams, PageParams), security(("bearer" = [])),
    extensions(("x-problems" = json!("forbidden"))),
    responses(
        (status = 200, description = "A page", body = Page<ReportView>, example = json!({"items": [example()], "next_cursor": null})),
        (status = 403, description = "Not a moderator", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn list_reports(State(app): State<App>, bearer: Bearer, query: PageQuery) -> Result<Page<ReportView>> {
    let status = status(&query)?;
    let list = format!("{} reports for {}", status.as_str(), bearer.id());
    let after = query.after(&app, &list)?;
    let reports = store::reports::page(&app, status, query.limit, after.as_deref());
    let (_, (reports, next)) = try_join(bearer.moderator(&app), reports).await?;
    let others = reports.into_iter().filter(|report| is_for(report, bearer.id()));
    query.page(&app, &list, others.map(ReportView::from).collect(), next.as_deref())
}

fn status(query: &PageQuery) -> Result<ReportStatus> {
    let named = |name: &str| {
        let refused = || FieldError::new("status", "invalid", "One of: open, dismissed, resolved.");
        ReportStatus::named(name).ok_or_else(|| Error::invalid(vec![refused()]))
    };
    query.param("status").map_or(Ok(ReportStatus::Open), named)
}

/// The reported user learns nothing of it, a moderator no more than others.
fn is_for(report: &Report, moderator: UserId) -> bool {
    report.post.author != moderator
}

/// Get a report
///
/// For moderators.
#[utoipa::path(
    get, path = "/reports/{id}", tag = "moderation", params(ReportPath), security(("bearer" = [])),
    extensions(("x-problems" = json!("forbidden")), ("x-etag" = json!(true))),
    responses(
        (status = 200, description = "The report", body = ReportView, example = json!(example())),
        (status = 403, description = "Not a moderator", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn get_report(
    State(app): State<App>,
    bearer: Bearer,
    Path(ReportPath { id }): Path<ReportPath>,
) -> Result<Tagged<ReportView>> {
    let (_, report) = try_join(bearer.moderator(&app), store::reports::get(&app, id)).await?;
    report.filter(|report| is_for(report, bearer.id())).map(tagged).ok_or_else(Error::not_found)
}

fn tagged(report: Report) -> Tagged<ReportView> {
    Tagged { version: report.ver, view: report.into() }
}

/// What a moderator decides.
#[derive(utoipa::ToSchema)]
pub(crate) struct ReportPatch {
    status: Outcome,
    /// What is to be done, with `resolved` alone.
    #[schema(value_type = Option<ReportAction>)]
    action: Option<ReportAction>,
}

impl FromFields for ReportPatch {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (status, action) = (fields.required("status"), fields.optional::<ReportAction>("action"));
        if let (Some(Outcome::Dismissed), Some(Some(_))) = (status, action) {
            fields.refuse("action", "not_allowed", "Only a report that is resolved has an action.");
        }
        Some(Self { status: status?, action: action? })
    }
}

/// Resolve or dismiss a report
///
/// For moderators.
///
/// `remove_post` deletes the post as its author would. `suspend_author` ends the author's sessions and hides the account
/// and all it wrote; `reinstate_author`, on a report that was resolved so, takes that back. Of two moderators at once one
/// decides and the other gets 409.
#[utoipa::path(
    patch, path = "/reports/{id}", tag = "moderation", params(ReportPath, ("If-Match" = Option<String>, Header, description = "The `ETag` the decision was made from")),
    security(("bearer" = [])), request_body(content = ReportPatch, example = json!({"status": "resolved", "action": "remove_post"})),
    extensions(("x-limit" = json!("moderate")), ("x-problems" = json!(["forbidden", "already-handled"])), ("x-etag" = json!(true))),
    responses(
        (status = 200, description = "The report as it is now", body = ReportView, example = json!(example())),
        (status = 403, description = "Not a moderator", body = shared::http::problem::Problem),
        (status = 409, description = "It was handled meanwhile", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn decide_report(
    State(app): State<App>,
    bearer: Bearer,
    Path(ReportPath { id }): Path<ReportPath>,
    if_match: IfMatch,
    Json(ReportPatch { status, action }): Json<ReportPatch>,
) -> Result<Tagged<ReportView>> {
    let status = status.into();
    let (me, decision) = (bearer.id(), Decision { status, action });
    let report = store::reports::get(&app, id);
    let (_, report) = try_join(bearer.moderating(&app, Action::Moderate), report).await?;
    let report = report.filter(|report| is_for(report, me)).ok_or_else(Error::not_found)?;
    let is_mine = report.handled.is_some_and(|handled| handled.by == Some(me) && handled.action == action);
    if is_mine && report.status == status {
        // Sent again: it is so already.
        return Ok(tagged(report));
    }
    if_match.check(report.ver)?;
    may_be_decided(&report, decision)?;
    store::reports::decide(&app, &report, decision, me).await?.map(tagged).ok_or_else(handled)
}

/// Whether a report takes this decision: an open one any but a reinstatement, one that led to a suspension that alone.
fn may_be_decided(report: &Report, decision: Decision) -> Result<()> {
    let takes_back = decision.action == Some(ReportAction::ReinstateAuthor);
    let has_suspended = report.action() == Some(ReportAction::SuspendAuthor);
    match (takes_back, report.status) {
        (false, ReportStatus::Open) => Ok(()),
        (true, _) if has_suspended => Ok(()),
        (true, ReportStatus::Open) => {
            let detail = "Only a report that led to a suspension takes it back.";
            Err(Error::invalid(vec![FieldError::new("action", "not_suspended", detail)]))
        }
        _ => Err(handled()),
    }
}

fn handled() -> Error {
    Error::new(Kind::AlreadyHandled).detail("Read the report again.")
}

fn example() -> serde_json::Value {
    serde_json::json!({
        "id": "rpt_01K9ZQ7A4M2T8Q6M5N4C1B0A9Z",
        "post_id": "pst_01K9ZP2D7V3T8Q6M5N4C1B0A9Z.01K9ZNXE5R2W8J6H4G3F1D0C7B",
        "author_id": "usr_01K9ZNXE5R2W8J6H4G3F1D0C7B", "reporter_id": "usr_01K9ZNYG7T4X9K8J6H5G3F2D1C",
        "reason": "spam", "details": "The same link under every post.", "content": "Low tide. #mudflats",
        "status": "resolved", "action": "remove_post", "handled_by": "usr_01K9ZNZJ8V5Y0M9K7J6H4G3F2D",
        "handled_at": "2026-11-20T21:10:00.000Z", "created_at": "2026-11-20T20:45:00.000Z"
    })
}
