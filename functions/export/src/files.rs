//! What is in each file of an archive: what the API shows its owner, by the same views and the same rules, a page at a time.
//! Each page asks anew what its owner may see, so what a block hides is hidden from the next page on.

use crate::archive::Archive;
use crate::contents::{File, file_of};
use serde::Serialize;
use serde_json::Value;
use shared::error::{Error, Result};
use shared::ids::{GroupId, PostId, UserId};
use shared::limits::ARCHIVE_PAGE;
use shared::models::group::Role;
use shared::models::media::{ORIGINAL, Status};
use shared::models::post::Post;
use shared::models::report::{Details, Reason, Report};
use shared::models::user::Profile;
use shared::models::viewer::Viewer;
use shared::store::exports::{self, Left};
use shared::store::users::UserPage;
use shared::store::{self, follows, groups, posts, relationships, reports, scheduled, user_cards, viewers};
use shared::table::Read;
use shared::table::design::{EntityKey, key};
use shared::views::group::{GroupView, MembershipState};
use shared::views::media::{Links, Upload, in_archive};
use shared::views::post::{ids, present};
use shared::views::scheduled::ScheduledView;
use shared::views::session::SessionView;
use shared::views::user::{Me, linked_cards};
use shared::{App, views, visibility};
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

/// Writes all files of an archive; the last one says what is in the others.
pub(crate) async fn write(app: &App, archive: &mut Archive<'_>, page: UserPage) -> Result<()> {
    let (name, user, begun) = (page.profile.username.clone(), page.profile.id, app.now());
    let me = Arc::new(page.profile.clone());
    let reader = ArchiveReader { app, user, page, me, links: Links::of_archive(app, user) };
    let mut readme = format!("All that is @{name}'s at Perch ({user}), as it was from {} on.\n\n", begun.rfc3339());
    for file in File::ALL {
        let (name, what) = file.about();
        archive.begin_text(name)?;
        let items = match file {
            File::Profile => one(archive, &reader.profile().await?).await?,
            File::Settings => {
                let settings = reader.page.account.settings.clone();
                one(archive, &settings.in_full(app.config().findable_by_email)).await?
            }
            _ => list(archive, &reader, file).await?,
        };
        let _ = writeln!(readme, "{name:20} {items:>7}  {what}");
    }
    let files = reader.copy_media(archive).await?;
    let _ = writeln!(readme, "{:20} {files:>7}  the files of my pictures and videos, by their ids", "media/");
    let _ = write!(readme, "{NOTES}\nDone at {}.\n", app.now().rfc3339());
    archive.begin_text("README.txt")?;
    archive.write(readme.as_bytes()).await
}

/// What an archive says of itself, after the list of its files.
const NOTES: &str = "
Each .json is a list, or one object, in UTF-8; times are UTC. The fields are those of the API's answers, which its
description (/openapi.json) explains. A `url` of a picture or video of mine is its file in here; one of somebody else's is
where the API tells where it is. reports.json has `post_id`, `reason`, `details` and `created_at`.

It is no snapshot: what changed while it was made is in some files and not in others.

What I wrote is in here wherever it stands, also below a post of somebody where one of us blocks the other, and in a group
that I am no longer in.

Not in here: my password and all tokens, of which the service has hashes alone; what others did or wrote, but for what I
see of it in these lists at this time; and what is computed from the rest, such as the search index, suggestions, and views
by day.
";

async fn one(archive: &mut Archive<'_>, item: &impl Serialize) -> Result<usize> {
    archive.write(&serde_json::to_vec_pretty(item).map_err(Error::internal)?).await.map(|()| 1)
}

/// Writes a list, an item a line, and answers how many they are.
async fn list(archive: &mut Archive<'_>, reader: &ArchiveReader<'_>, file: File) -> Result<usize> {
    let (mut items, mut after) = (0, None);
    archive.write(b"[").await?;
    loop {
        let (page, next) = reader.page(file, after.as_deref()).await?;
        let mut text = String::new();
        for item in page {
            text.push_str(if items == 0 { "\n" } else { ",\n" });
            text.push_str(&item.to_string());
            items += 1;
        }
        archive.write(text.as_bytes()).await?;
        after = next;
        if after.is_none() {
            break;
        }
    }
    archive.write(b"\n]\n").await.map(|()| items)
}

/// Some items of a list, and where the next ones begin.
type Page = (Vec<Value>, Option<String>);

fn items<T: Serialize>(views: impl IntoIterator<Item = T>) -> Result<Vec<Value>> {
    views.into_iter().map(|view| serde_json::to_value(view).map_err(Error::internal)).collect()
}

/// Reads for the owner of an archive.
struct ArchiveReader<'a> {
    app: &'a App,
    user: UserId,
    /// As it was when the archive was begun.
    page: UserPage,
    /// The owner's profile, as the author of posts.
    me: Arc<Profile>,
    links: Links,
}

/// A report as its reporter has it.
#[derive(Serialize)]
struct OwnReport {
    post_id: PostId,
    reason: Reason,
    details: Option<Details>,
    created_at: String,
}

impl From<Report> for OwnReport {
    fn from(report: Report) -> Self {
        let Report { id, post, reason, details, .. } = report;
        Self { post_id: post, reason, details, created_at: id.created_at().rfc3339() }
    }
}

impl ArchiveReader<'_> {
    async fn profile(&self) -> Result<Me> {
        let avatar = match &self.me.avatar {
            Some(avatar) => store::media::get(self.app, avatar.id).await?,
            None => None,
        };
        let avatar_url = avatar.map(|media| in_archive(media.id, media.content_type));
        Ok(Me { avatar_url, ..Me::new(self.page.clone(), &self.links) })
    }

    async fn page(&self, file: File, after: Option<&str>) -> Result<Page> {
        let (app, user, links) = (self.app, self.user, &self.links);
        let viewer = viewers::without_session(app, user).await?;
        match file {
            File::Profile | File::Settings => Err(Error::internal("no list")),
            File::Sessions => {
                let sessions = viewer.sessions.into_iter().rev();
                Ok((items(sessions.map(|session| SessionView::new(session, None, app.config().session_life)))?, None))
            }
            File::Following => {
                let rows = follows::following(app, user, ARCHIVE_PAGE, after).await?;
                self.people(&viewer, rows.items.iter().filter_map(|row| key::other_end(row.sk())), rows.next).await
            }
            File::Followers => {
                let rows = follows::followers(app, user, ARCHIVE_PAGE, after).await?;
                self.people(&viewer, rows.items.iter().filter_map(|row| key::other_end(row.sk())), rows.next).await
            }
            File::Blocked => {
                let rows = relationships::blocked(app, user, ARCHIVE_PAGE, after).await?;
                let people: Vec<UserId> = rows.items.iter().filter_map(|row| key::blocked(row.sk())).collect();
                // As the API has them: nobody's sight.
                Ok((items(linked_cards(app, None, &people, links).await?)?, rows.next))
            }
            File::Muted => {
                let (people, next) = relationships::muted(app, user, ARCHIVE_PAGE, after).await?;
                self.people(&viewer, people, next).await
            }
            File::Groups => Ok((self.groups(groups::mine(app, &viewer).await?).await?, None)),
            File::GroupRequests => self.group_requests(after).await,
            File::Posts => {
                let (found, next) = posts::by_author(app, user, ARCHIVE_PAGE, after, Read::Strong).await?;
                Ok((self.posts(&viewer, found).await?, next))
            }
            File::GroupPosts => self.posts_elsewhere(&viewer, Left::GroupPosts, file, after).await,
            File::Comments => self.posts_elsewhere(&viewer, Left::Comments, file, after).await,
            File::Likes => {
                let (liked, next) = store::likes::by_user(app, user, ARCHIVE_PAGE, after).await?;
                let liked: Vec<PostId> = liked.into_iter().map(|(post, _)| post).collect();
                Ok((self.posts(&viewer, posts::load(app, &liked, Some(user)).await?).await?, next))
            }
            File::Scheduled => {
                let (waiting, next) = scheduled::page(app, user, ARCHIVE_PAGE, after).await?;
                Ok((items(waiting.into_iter().map(|one| ScheduledView::new(one, links)))?, next))
            }
            File::Media => {
                let (found, next) = store::media::all_of(app, user, ARCHIVE_PAGE, after).await?;
                let there = found.into_iter().filter(|media| !media.deleted);
                Ok((items(there.map(|media| Upload::new(media, links)))?, next))
            }
            File::Notifications => {
                let (found, next) = views::notification::archived(app, &viewer, ARCHIVE_PAGE, after, links).await?;
                Ok((items(found)?, next))
            }
            File::Activity => {
                let after = after.map(str::to_owned);
                let (found, next) = views::activity::page(app, user, &[], ARCHIVE_PAGE, after).await?;
                Ok((items(found)?, next))
            }
            File::Reports => {
                let (found, next) = self.left(Left::Reports, file, after).await?;
                let of = |entity| if let EntityKey::Reported { post, .. } = entity { Some(post) } else { None };
                let posts: Vec<PostId> = found.into_iter().filter_map(of).collect();
                Ok((items(reports::by_reporter(app, user, &posts).await?.into_iter().map(OwnReport::from))?, next))
            }
        }
    }

    /// What the index lists of a kind, as far as it belongs in this file.
    async fn left(&self, what: Left, file: File, after: Option<&str>) -> Result<(Vec<EntityKey>, Option<String>)> {
        let (mut found, next) = exports::elsewhere(self.app, self.user, what, ARCHIVE_PAGE, after).await?;
        found.retain(|entity| file_of(entity) == Some(file));
        Ok((found, next))
    }

    async fn people(
        &self,
        viewer: &Viewer,
        people: impl IntoIterator<Item = UserId>,
        next: Option<String>,
    ) -> Result<Page> {
        let people: Vec<UserId> = people.into_iter().collect();
        Ok((items(linked_cards(self.app, Some(viewer), &people, &self.links).await?)?, next))
    }

    async fn posts(&self, viewer: &Viewer, found: Vec<Post>) -> Result<Vec<Value>> {
        let app = self.app;
        let likes = store::likes::among(app, self.user, &ids(&found)).await?;
        let mut authors = user_cards::load(app, found.iter().map(|post| post.id.author)).await?;
        authors.insert(self.user, self.me.clone());
        let visibility = visibility::load(app, Some(viewer), visibility::of_posts(&found)).await?.in_archive();
        items(present(found, &authors, Some(viewer), &visibility, &likes, &self.links))
    }

    async fn posts_elsewhere(&self, viewer: &Viewer, what: Left, file: File, after: Option<&str>) -> Result<Page> {
        let (found, next) = self.left(what, file, after).await?;
        let of = |entity| match entity {
            EntityKey::Comment(id) | EntityKey::GroupPost(id) => Some(id),
            _ => None,
        };
        let found: Vec<PostId> = found.into_iter().filter_map(of).collect();
        Ok((self.posts(viewer, posts::load(self.app, &found, Some(self.user)).await?).await?, next))
    }

    async fn groups(&self, mine: Vec<(GroupId, Role)>) -> Result<Vec<Value>> {
        let ids: Vec<GroupId> = mine.iter().map(|(id, _)| *id).collect();
        let rows = groups::rows_of(self.app, self.user, &ids).await?;
        let roles: HashMap<GroupId, Role> = mine.into_iter().collect();
        let found = groups::load(self.app, &ids, Read::Confirmed).await?.into_iter();
        items(found.map(|group| {
            let (state, row) = (MembershipState::new(roles.get(&group.id).copied(), false), rows.get(&group.id));
            GroupView::new(group, state, row)
        }))
    }

    async fn group_requests(&self, after: Option<&str>) -> Result<Page> {
        let (found, next) = self.left(Left::JoinRequests, File::GroupRequests, after).await?;
        let of = |entity| if let EntityKey::JoinRequest { group, .. } = entity { Some(group) } else { None };
        let asked: Vec<GroupId> = found.into_iter().filter_map(of).collect();
        let found = groups::load(self.app, &asked, Read::Confirmed).await?.into_iter();
        Ok((items(found.map(|group| GroupView::new(group, MembershipState::new(None, true), None)))?, next))
    }

    /// Copies the files of all pictures and videos that are ready, as they come, and answers how many they are.
    async fn copy_media(&self, archive: &mut Archive<'_>) -> Result<usize> {
        let (mut files, mut after) = (0, None::<String>);
        loop {
            let (found, next) = store::media::all_of(self.app, self.user, ARCHIVE_PAGE, after.as_deref()).await?;
            for media in found.into_iter().filter(|media| !media.deleted && media.status == Status::Ready) {
                // One that was deleted meanwhile has none.
                let Some(mut bytes) = self.app.media().file(media.id, ORIGINAL).await? else { continue };
                archive.begin_media(&in_archive(media.id, media.content_type))?;
                while let Some(chunk) = bytes.try_next().await.map_err(Error::unavailable)? {
                    archive.write(&chunk).await?;
                }
                files += 1;
            }
            after = next;
            if after.is_none() {
                return Ok(files);
            }
        }
    }
}
