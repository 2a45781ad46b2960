//! Telling open sockets.

use futures::future::join_all;
use shared::App;
use shared::error::{Error, Result};
use shared::ids::{ActivityId, SessionId, UserId};
use shared::models::notification::{Notified, Topic};
use shared::models::socket::{Channel, Message, Socket};
use shared::push::Pushed;
use shared::store::sockets;
use shared::views;

/// Sends notifications to the owner's sockets. A repeated message sends them again, under the same ids.
pub(crate) async fn notifications(app: &App, topic: &Topic, notified: &[Notified]) -> Result<()> {
    if notified.is_empty() {
        return Ok(());
    }
    let open = open(app, topic.owner, Channel::Notifications).await?;
    if open.is_empty() {
        return Ok(());
    }
    let messages = views::notification::messages(app, topic, notified).await?;
    deliver(app, &open, &messages).await
}

/// Sends a user's own acts to their sockets.
pub(crate) async fn acts(app: &App, user: UserId, acts: &[ActivityId]) -> Result<()> {
    let open = open(app, user, Channel::ActivityLog).await?;
    if open.is_empty() {
        return Ok(());
    }
    let messages = views::activity::messages(app, user, acts).await?;
    deliver(app, &open, &messages).await
}

/// Closes the sockets of a session that has ended.
pub(crate) async fn end(app: &App, user: UserId, session: SessionId) -> Result<()> {
    let open = sockets::of_user(app, user).await?;
    let ended = open.iter().filter(|socket| socket.session == session);
    join_all(ended.map(|socket| close(app, socket))).await.into_iter().collect()
}

async fn open(app: &App, user: UserId, channel: Channel) -> Result<Vec<Socket>> {
    let mut open = sockets::of_user(app, user).await?;
    open.retain(|socket| socket.channel == channel);
    Ok(open)
}

/// Each socket by itself, for a slow one is to hold up no other.
async fn deliver(app: &App, open: &[Socket], messages: &[Message]) -> Result<()> {
    let texts: Vec<String> = messages.iter().map(Message::text).collect();
    join_all(open.iter().map(|socket| send(app, socket, &texts))).await.into_iter().collect()
}

async fn send(app: &App, socket: &Socket, texts: &[String]) -> Result<()> {
    for text in texts {
        match app.push().send(socket.channel, &socket.id, text).await? {
            Pushed::Sent => {}
            // A client asks for what was sent meanwhile once it is open.
            Pushed::Gone if socket.is_opening(app.now()) => return Ok(()),
            Pushed::Gone => return sockets::purge(app, socket.user, socket.slot, &socket.id).await,
            Pushed::Stuck => {
                tracing::info!(user = %socket.user, "a slow reader's socket is closed");
                return close(app, socket).await;
            }
        }
    }
    Ok(())
}

async fn close(app: &App, socket: &Socket) -> Result<()> {
    if !app.push().disconnect(socket.channel, &socket.id).await? && socket.is_opening(app.now()) {
        return Err(Error::unavailable("a socket that is to close may not be open yet"));
    }
    sockets::purge(app, socket.user, socket.slot, &socket.id).await
}
