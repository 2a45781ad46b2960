//! What an account wants to be told, and how.

use super::fields::{Fields, FromFields};
use serde::{Deserialize, Serialize};

/// What an account wants to be told, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Settings {
    /// Whether search by exact address finds this account.
    // Kept where its owner has chosen alone; all others follow the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = bool, required = true)]
    pub findable_by_email: Option<bool>,
    pub notify: NotifySettings,
}

impl Settings {
    /// As they hold, whatever their owner has chosen.
    #[must_use]
    pub fn in_full(mut self, findable_by_email: bool) -> Self {
        self.findable_by_email.get_or_insert(findable_by_email);
        self
    }

    /// Tells versions of the settings apart.
    pub fn fingerprint(&self) -> u64 {
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        let [a, b, c, d, ..] = crate::secrets::sha256(&[&bytes]);
        u64::from(u32::from_be_bytes([a, b, c, d]))
    }
}

/// Per kind of notification, by which ways.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NotifySettings {
    pub follow: Ways,
    pub like: Ways,
    pub comment: Ways,
    pub mention: Ways,
    pub group: Ways,
}

impl NotifySettings {
    /// The ways of one kind, by its name.
    pub fn of(&mut self, kind: &str) -> Option<&mut Ways> {
        match kind {
            "follow" => Some(&mut self.follow),
            "like" => Some(&mut self.like),
            "comment" => Some(&mut self.comment),
            "mention" => Some(&mut self.mention),
            "group" => Some(&mut self.group),
            _ => None,
        }
    }
}

impl Default for NotifySettings {
    fn default() -> Self {
        let quiet = Ways { live: true, list: true, mail: false };
        Self { follow: Ways { mail: true, ..quiet }, like: quiet, comment: quiet, mention: quiet, group: quiet }
    }
}

/// The ways of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Ways {
    /// Pushed to open sockets.
    pub live: bool,
    /// Kept in `GET /notifications`.
    pub list: bool,
    /// Sent by mail.
    pub mail: bool,
}

/// Changes to settings; what is absent stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, utoipa::ToSchema)]
pub struct SettingsPatch {
    #[schema(nullable = false)]
    findable_by_email: Option<bool>,
    #[schema(required = false)]
    notify: NotifyPatch,
}

/// Changes per kind of notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, utoipa::ToSchema)]
pub struct NotifyPatch {
    #[schema(required = false)]
    follow: WaysPatch,
    #[schema(required = false)]
    like: WaysPatch,
    #[schema(required = false)]
    comment: WaysPatch,
    #[schema(required = false)]
    mention: WaysPatch,
    #[schema(required = false)]
    group: WaysPatch,
}

/// Changes to the ways of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, utoipa::ToSchema)]
pub struct WaysPatch {
    #[schema(nullable = false)]
    live: Option<bool>,
    #[schema(nullable = false)]
    list: Option<bool>,
    #[schema(nullable = false)]
    mail: Option<bool>,
}

impl SettingsPatch {
    pub fn apply(self, settings: &mut Settings) {
        settings.findable_by_email = self.findable_by_email.or(settings.findable_by_email);
        let (patch, notify) = (self.notify, &mut settings.notify);
        patch.follow.apply(&mut notify.follow);
        patch.like.apply(&mut notify.like);
        patch.comment.apply(&mut notify.comment);
        patch.mention.apply(&mut notify.mention);
        patch.group.apply(&mut notify.group);
    }
}

impl WaysPatch {
    fn apply(self, ways: &mut Ways) {
        ways.live = self.live.unwrap_or(ways.live);
        ways.list = self.list.unwrap_or(ways.list);
        ways.mail = self.mail.unwrap_or(ways.mail);
    }
}

impl FromFields for SettingsPatch {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (findable_by_email, notify) = (fields.change("findable_by_email"), fields.nested("notify"));
        Some(Self { findable_by_email: findable_by_email?, notify: notify? })
    }
}

impl FromFields for NotifyPatch {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let [follow, like, comment, mention, group] =
            ["follow", "like", "comment", "mention", "group"].map(|kind| fields.nested(kind));
        Some(Self { follow: follow?, like: like?, comment: comment?, mention: mention?, group: group? })
    }
}

impl FromFields for WaysPatch {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (live, list, mail) = (fields.change("live"), fields.change("list"), fields.change("mail"));
        Some(Self { live: live?, list: list?, mail: mail? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_change_where_told() {
        let mut settings = Settings::default();
        let body = json!({"notify": {"follow": {"mail": false}}});
        Fields::read::<SettingsPatch>(body.as_object().unwrap().clone()).unwrap().apply(&mut settings);
        assert!(!settings.notify.follow.mail && settings.notify.follow.list);
        assert_eq!(settings.findable_by_email, None, "not chosen");
        assert_eq!(
            [true, false].map(|default| settings.clone().in_full(default).findable_by_email),
            [Some(true), Some(false)]
        );
        let bad = json!({"findable_by_email": null, "notify": {"like": {"mail": 1}, "group": 2}});
        let error = Fields::read::<SettingsPatch>(bad.as_object().unwrap().clone()).err().unwrap();
        let told: Vec<_> = error.fields().iter().map(|f| f.field.as_str()).collect();
        assert_eq!(told, ["findable_by_email", "notify.like.mail", "notify.group"]);
    }
}
