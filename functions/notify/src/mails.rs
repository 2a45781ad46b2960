//! The mails' texts, and how they are sent.

use shared::error::Result;
use shared::mail::Mail;
use shared::models::notification::{Act, NotificationKind, Topic};
use shared::models::session::{MailAction, MailToken, unsubscribe_token};
use shared::models::user::{Account, Email, Profile};
use shared::secrets::Keys;
use shared::store::mails::Claim;
use shared::{App, Config};

/// Sends a mail that was claimed.
pub(crate) async fn send(app: &App, claim: Claim, mail: Mail) -> Result<()> {
    match app.mailer().send(mail).await {
        Ok(()) => claim.sent(app).await,
        Err(error) => {
            claim.release(app).await?;
            Err(error)
        }
    }
}

/// Somebody did what concerns the account.
pub(crate) fn act(config: &Config, keys: &Keys, account: &Account, actor: &Profile, topic: &Topic, act: &Act) -> Mail {
    let app = config.app_url.as_ref().unwrap_or(&config.public_url);
    let name = &actor.username;
    let (did, mails) = match topic.kind {
        NotificationKind::Follow => ("follows you", "new followers"),
        NotificationKind::Like => ("liked your post", "likes"),
        NotificationKind::Comment => ("commented on your post", "comments"),
        NotificationKind::Mention => ("mentioned you", "mentions"),
        NotificationKind::GroupRequest => ("asks to join your group", "groups"),
        NotificationKind::GroupAccepted => ("let you into the group", "groups"),
    };
    let kind = topic.kind.setting();
    let token = unsubscribe_token(keys, account.id, kind);
    let link = match (topic.comment(act).or(topic.post), topic.group) {
        (Some(post), _) => Link { label: "See the post".into(), url: format!("{app}/posts/{post}") },
        (None, Some(group)) => Link { label: "See the group".into(), url: format!("{app}/groups/{group}") },
        (None, None) => Link { label: format!("See @{name}"), url: format!("{app}/users/{name}") },
    };
    Letter {
        subject: format!("@{name} {did}"),
        // The username alone: a full name may say anything, and would say it in our name.
        opening: format!("@{name} {did} on Perch."),
        link: Some(link),
        closing: format!("Your settings say which mails you get, under notify.{kind}."),
        ending: Some(Link {
            label: format!("No more mails about {mails}"),
            url: format!("{}/users/unsubscribe?token={token}", config.public_url),
        }),
    }
    .to(&account.email)
}

/// The mail that a token's item asks for; None when it asks for none.
pub(crate) fn token(config: &Config, token: &MailToken, text: &str) -> Option<Mail> {
    let link = |label: &str, app_page: &str, own_page: &str| {
        let page = match &config.app_url {
            Some(app) => format!("{app}/{app_page}"),
            None => format!("{}/users/{own_page}", config.public_url),
        };
        Some(Link { label: label.into(), url: format!("{page}?token={text}") })
    };
    // Where no app stands between.
    let own_link = |label: &str, page: &str| {
        Some(Link { label: label.into(), url: format!("{}/users/{page}?token={text}", config.public_url) })
    };
    let (subject, opening, link, closing) = match token.action {
        MailAction::VerifyEmail => (
            "Verify your e-mail address",
            "This address was given for an account at Perch. Open the link to say that it is yours.",
            link("Verify my address", "verify", "verify"),
            "The link works once, for 24 hours. If you have no account at Perch, do nothing: nothing will come of it.",
        ),
        MailAction::ResetPassword => (
            "Set a new password",
            "Somebody asked for a new password for your account at Perch. Open the link to set one.",
            link("Set a new password", "reset", "password/reset"),
            "The link works once, for one hour. If it was not you, do nothing: your password stays as it is.",
        ),
        MailAction::AlreadyRegistered => (
            "You have an account already",
            "Somebody, perhaps you, gave this address for an account at Perch. It has one already.",
            None,
            "If it was you, sign in, or ask for a new password if you forgot yours. If it was not you, do nothing.",
        ),
        MailAction::EmailChanged => (
            "Your e-mail address is to be another",
            "Somebody asked, with your password, for another address for your account at Perch. It takes the place of this \
             one once it is verified.",
            own_link("Undo the change", "verify/undo"),
            "If it was you, do nothing. If it was not, open the link: it works for 7 days, keeps this address or brings it \
             back, and signs everybody out. Then set a new password.",
        ),
        MailAction::SecondFactorOn => (
            "Your second factor is on",
            "Your account at Perch asks for a code of an authenticator app from now on, at each sign-in.",
            None,
            "Keep the recovery codes where your telephone is not. If it was not you, somebody has your password: set a new \
             one, and ask those who run this service to turn the second factor off.",
        ),
        MailAction::SecondFactorOff => (
            "Your second factor is off",
            "Your account at Perch asks for the password alone from now on.",
            None,
            "If it was not you, set a new password at once, and turn the second factor on again.",
        ),
        MailAction::RecoveryCodeUsed => (
            "A recovery code was used",
            "Somebody used a recovery code of your account at Perch, with your password.",
            None,
            "If it was you, do nothing: the others still work. If it was not, set a new password at once, and set \
             the second factor up anew.",
        ),
        MailAction::Export => (
            "Your archive is ready",
            "You asked for an archive of all that is yours at Perch. Open the link to load it.",
            own_link("Load my archive", "export"),
            "The link works for a week from when you asked. Whoever has it can load the archive: don't pass this mail on.",
        ),
        MailAction::Nothing => return None,
    };
    let (subject, opening) = (subject.into(), opening.into());
    Some(Letter { subject, opening, link, closing: closing.into(), ending: None }.to(&token.email))
}

struct Link {
    label: String,
    url: String,
}

/// What a mail says, before it is written as text and as HTML.
struct Letter {
    subject: String,
    opening: String,
    link: Option<Link>,
    closing: String,
    /// The link that ends such mails.
    ending: Option<Link>,
}

impl Letter {
    fn to(self, email: &Email) -> Mail {
        Mail {
            to: email.clone(),
            text: self.text(),
            html: self.html(),
            subject: self.subject,
            unsubscribe: self.ending.map(|link| link.url),
        }
    }

    /// Each link stands on a line of its own.
    fn text(&self) -> String {
        let link = self.link.as_ref().map(|link| link.url.clone());
        let ending = self.ending.as_ref().map(|link| format!("{}:\n{}", link.label, link.url));
        let parts = [Some(self.opening.clone()), link, Some(self.closing.clone()), ending];
        let mut text = parts.into_iter().flatten().collect::<Vec<_>>().join("\n\n");
        text.push('\n');
        text
    }

    fn html(&self) -> String {
        let paragraph = |text: &str| format!("<p>{}</p>", escaped(text));
        let anchor = |link: &Link| format!("<p><a href=\"{}\">{}</a></p>", escaped(&link.url), escaped(&link.label));
        let parts = [
            Some(paragraph(&self.opening)),
            self.link.as_ref().map(anchor),
            Some(paragraph(&self.closing)),
            self.ending.as_ref().map(anchor),
        ];
        let body: String = parts.into_iter().flatten().collect();
        format!("<!doctype html><html lang=en><meta charset=utf-8><title>{}</title>{body}", escaped(&self.subject))
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stand_alone_in_the_text_and_names_are_escaped_in_html() {
        let url = String::from("https://perch.example/users/gull");
        let mail = Letter {
            subject: "@gull follows you".into(),
            opening: "<b>\"Lara\"</b> & co (@gull) follow you".into(),
            link: Some(Link { label: "See @gull".into(), url: url.clone() }),
            closing: "Bye.".into(),
            ending: Some(Link { label: "No more".into(), url: "https://perch.example/end?token=x.follow.y".into() }),
        };
        assert!(mail.text().lines().any(|line| line == url));
        assert!(mail.text().lines().any(|line| line.ends_with("?token=x.follow.y")));
        let html = mail.html();
        assert!(html.contains("<p>&lt;b&gt;&quot;Lara&quot;&lt;/b&gt; &amp; co (@gull) follow you</p>"), "{html}");
        assert!(html.contains("<a href=\"https://perch.example/users/gull\">See @gull</a>"), "{html}");
    }
}
