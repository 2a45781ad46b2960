//! Reports. Each lies in the list of its status, so that what is open is a range; a decision moves it to another list,
//! in one transaction with what is decided. Beside it stands that this person has reported this post.

use super::{comments, moderators, posts, suspensions};
use crate::App;
use crate::error::{Error, Result};
use crate::ids::{PostId, ReportId, UserId, new_ulid};
use crate::limits::EDGE_REFUSALS;
use crate::models::report::{Decision, Handled, Moderation, Report, ReportAction, ReportStatus, Reported};
use crate::table::design::key;
use crate::table::{Condition, Item, Op, Order, Read};

/// Creates a report, unless this user has reported the post before.
pub async fn create(app: &App, report: &Report) -> Result<()> {
    let Some(reporter) = report.reporter else { return Err(Error::internal("a report by nobody")) };
    let reported = Op::create(key::reported(report.post, reporter), &Reported { id: report.id })?;
    let ops = vec![reported.owned_by(reporter), Op::create(key::report(report.status, report.id), report)?];
    match app.table().transact(ops).await {
        Ok(()) => Ok(()),
        Err(error) => error.refused().map(|_| ()),
    }
}

/// One report, in whichever list it is. Access pattern 32.
pub async fn get(app: &App, id: ReportId) -> Result<Option<Report>> {
    let keys: Vec<_> = ReportStatus::ALL.iter().map(|status| key::report(*status, id)).collect();
    let found = app.table().batch_get(&keys, Read::Strong).await?;
    Ok(found.into_iter().flatten().max_by_key(|report: &Report| report.ver))
}

/// The reports that somebody made of these posts. Access pattern 32.
pub async fn by_reporter(app: &App, reporter: UserId, posts: &[PostId]) -> Result<Vec<Report>> {
    let keys: Vec<_> = posts.iter().map(|post| key::reported(*post, reporter)).collect();
    let found = app.table().batch_get::<Reported>(&keys, Read::Strong).await?;
    let mut reports = Vec::new();
    for reported in found.into_iter().flatten() {
        reports.extend(get(app, reported.id).await?.filter(|report| report.reporter == Some(reporter)));
    }
    Ok(reports)
}

/// Reports of a status, newest first, and where the next page starts. Access pattern 32.
pub async fn page(
    app: &App,
    status: ReportStatus,
    limit: usize,
    after: Option<&str>,
) -> Result<(Vec<Report>, Option<String>)> {
    let rows = app.table().query(&key::reports(status), Order::NewestFirst, Read::Strong, limit, after).await?;
    Ok((rows.items.iter().filter_map(Item::readable).collect(), rows.next))
}

/// Decides on a report as it was read, and does what is decided, all in one transaction. None when somebody else decided
/// meanwhile.
pub async fn decide(app: &App, old: &Report, decision: Decision, by: UserId) -> Result<Option<Report>> {
    let new = old.decided(decision, by, app.now());
    let moderation = Moderation {
        id: new_ulid(app.now()),
        act: decision.into(),
        by: Some(by),
        user: Some(old.post.author),
        post: Some(old.post),
        report: Some(old.id),
    };
    for _ in 0..EDGE_REFUSALS {
        let mut ops = moved(old, &new)?;
        ops.push(moderators::logged(&moderation)?);
        ops.extend(consequences(app, old.post, decision.action).await?);
        let Err(error) = app.table().transact(ops).await else {
            moderators::log(&moderation);
            return Ok(Some(new));
        };
        if error.refused()?.has(0) {
            return Ok(None);
        }
        // The post went, or its author signed in or was suspended by another report: all is read again.
    }
    Err(Error::unavailable("what is decided on changes faster than it is decided"))
}

/// The writes that change a report, the first of which is refused if it is not as it was read.
fn moved(old: &Report, new: &Report) -> Result<Vec<Op>> {
    let as_read = Condition::equal("ver", old.ver);
    let put = Op::put(key::report(new.status, new.id), new)?;
    if old.status == new.status {
        return Ok(vec![put.when(as_read)]);
    }
    Ok(vec![Op::delete(key::report(old.status, old.id)).when(as_read), put])
}

/// Removes a deleted account from the reports of a status, by the page: those of what it wrote, or what stood below that,
/// go; of those it made, and of those it decided on as a moderator, it goes.
///
/// # Errors
/// The table does not answer, or an item changed meanwhile; repeating the call is safe.
pub async fn purge(app: &App, user: UserId, status: ReportStatus, after: Option<&str>) -> Result<Option<String>> {
    let rows = app.table().query(&key::reports(status), Order::OldestFirst, Read::Strong, LOOKED_AT, after).await?;
    for item in &rows.items {
        let old: Report = item.read()?;
        let reported = old.reporter.map(|reporter| Op::delete(key::reported(old.post, reporter)));
        let as_read = Condition::equal("ver", old.ver);
        let mut ops = Vec::new();
        if old.post.authors().contains(&user) {
            ops.push(Op::delete(key::report(status, old.id)).when(as_read));
            ops.extend(reported);
        } else if old.reporter == Some(user) || old.handled.is_some_and(|handled| handled.by == Some(user)) {
            let handled = old.handled.map(|one| Handled { by: one.by.filter(|by| *by != user), ..one });
            let reporter = old.reporter.filter(|reporter| *reporter != user);
            let new = Report { reporter, handled, ver: old.ver + 1, ..old.clone() };
            ops.push(Op::put(key::report(status, old.id), &new)?.when(as_read));
            ops.extend(reported.filter(|_| new.reporter.is_none()));
        } else {
            continue;
        }
        if let Err(error) = app.table().transact(ops).await {
            error.refused()?;
            // Not left to the next pass, for this may be the last.
            return Err(Error::unavailable("a report was changed while an account was taken out of it"));
        }
    }
    Ok(rows.next)
}

/// Reports looked through at once.
const LOOKED_AT: usize = 500;

/// What an action writes; nothing where it is so already.
async fn consequences(app: &App, post: PostId, action: Option<ReportAction>) -> Result<Vec<Op>> {
    match action {
        None => Ok(Vec::new()),
        Some(ReportAction::RemovePost) => Ok(match (posts::get(app, post, Read::Strong).await?, post.parent()) {
            (None, _) => Vec::new(),
            (Some(post), None) => posts::removal(&post, Condition::Exists),
            (Some(_), Some(_)) => vec![comments::removal(post)],
        }),
        Some(ReportAction::SuspendAuthor) => suspensions::suspend(app, post.author).await,
        Some(ReportAction::ReinstateAuthor) => suspensions::reinstate(app, post.author).await,
    }
}
