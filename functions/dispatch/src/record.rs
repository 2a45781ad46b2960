//! One record of the stream: what of it counts here.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_dynamo::{AttributeValue, Item};
use serde_json::Value;
use shared::error::{Error, Result};
use shared::ids::{ActivityId, GroupId, MediaId, PostId, UserId};
use shared::jobs::{FanoutJob, Job, NotifyJob};
use shared::models::post::Mention;
use shared::table::design::EntityKey;
use ulid::Ulid;

/// A record of what the stream is read for.
pub(crate) struct Record {
    pub(crate) subject: RecordSubject,
    image: Option<Item>,
    /// Users whom a removed post or comment mentioned.
    pub(crate) mentioned: Vec<UserId>,
}

/// What changed.
pub(crate) enum RecordSubject {
    /// Somebody likes a post, or does not any more.
    Like { post: PostId, by: UserId },
    /// Somebody follows an account, or does not any more.
    Follow { to: UserId, by: UserId },
    /// A post appeared, or was edited.
    Post { id: PostId, appeared: bool },
    /// A comment appeared, was edited or was deleted.
    Comment { on: PostId, id: PostId },
    /// Somebody is in a group, or not any more.
    Member { group: GroupId, user: UserId },
    /// A post or comment is gone.
    Gone(PostId),
    /// An upload is to be checked, or nothing needs it any more.
    Media(MediaId),
    /// Somebody did something that is in their activity log.
    Did { by: UserId, act: ActivityId },
    /// A profile is new or was changed.
    Person(UserId),
    /// A mail is to be sent, or what it is to lead to has to be made first.
    Mail(Ulid),
    /// What has this job for its only consequence.
    Other(Job),
    /// A session has begun, of which nothing follows; the filter can't tell its beginning from its end.
    Nothing,
}

/// Lambda's form, and that of DynamoDB's own `GetRecords`: no more of it than is needed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    event_name: String,
    dynamodb: Images,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Images {
    keys: Item,
    new_image: Option<Item>,
    old_image: Option<Item>,
}

/// What is looked at of a post that is gone.
#[derive(Default, Deserialize)]
struct Gone {
    #[serde(default)]
    mentions: Vec<Mention>,
}

impl Record {
    /// Reads all but the image.
    ///
    /// # Errors
    /// Internal: it is no record, or of something that the stream is not read for.
    pub(crate) fn read(record: &Value) -> Result<Self> {
        let Wire { event_name, dynamodb } = Wire::deserialize(record).map_err(Error::internal)?;
        let text = |name: &str| match dynamodb.keys.get(name) {
            Some(AttributeValue::S(text)) => Ok(text.as_str()),
            _ => Err(Error::internal("a record without our keys")),
        };
        let subject = match (EntityKey::read(text("PK")?, text("SK")?), event_name.as_str()) {
            (Some(EntityKey::Like { user, post }), _) => RecordSubject::Like { post, by: user },
            (Some(EntityKey::Follow { from, to }), _) => RecordSubject::Follow { to, by: from },
            (Some(EntityKey::Post(post) | EntityKey::GroupPost(post) | EntityKey::Comment(post)), "REMOVE") => {
                RecordSubject::Gone(post)
            }
            (Some(EntityKey::Member { group, user }), _) => RecordSubject::Member { group, user },
            (Some(EntityKey::JoinRequest { group, user }), _) => {
                RecordSubject::Other(Job::Notify(NotifyJob::JoinRequested { group, user }))
            }
            // The stream is read for one that was deleted alone.
            (Some(EntityKey::Group(group)), _) => {
                RecordSubject::Other(Job::Fanout(FanoutJob::GroupDeleted { group, after: None }))
            }
            (Some(EntityKey::Post(id) | EntityKey::GroupPost(id)), name) => {
                RecordSubject::Post { id, appeared: name == "INSERT" }
            }
            (Some(EntityKey::Comment(id)), _) => {
                let on = id.parent().ok_or_else(|| Error::internal("a comment on nothing"))?;
                RecordSubject::Comment { on, id }
            }
            (Some(EntityKey::Media(id)), _) => RecordSubject::Media(id),
            (Some(EntityKey::Profile(user)), _) => RecordSubject::Person(user),
            (Some(EntityKey::Activity(by, act)), _) => RecordSubject::Did { by, act },
            (Some(EntityKey::Session(user, session)), "REMOVE") => {
                RecordSubject::Other(Job::Notify(NotifyJob::SessionEnded { user, session }))
            }
            (Some(EntityKey::Session(..)), _) => RecordSubject::Nothing,
            (Some(EntityKey::MailToken(id)), _) => RecordSubject::Mail(id),
            _ => return Err(Error::internal("a record of what the stream is not read for")),
        };
        let gone = dynamodb.old_image.filter(|_| matches!(subject, RecordSubject::Gone(_)));
        let gone: Gone = gone.map(serde_dynamo::from_item).transpose().map_err(Error::internal)?.unwrap_or_default();
        let mentioned = gone.mentions.into_iter().map(|mention| mention.id).collect();
        Ok(Self { subject, image: dynamodb.new_image, mentioned })
    }

    /// The edge, or the post, as the record has it.
    ///
    /// # Errors
    /// Internal: the image is none.
    pub(crate) fn image<T: DeserializeOwned>(&self) -> Result<T> {
        let image = self.image.clone().ok_or_else(|| Error::internal("a record without an image"))?;
        serde_dynamo::from_item(image).map_err(Error::internal)
    }
}
