//! Mail, sent through SES.

use crate::aws::{Aws, sdk_config};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::models::user::Email;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::error::SdkError;
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message, MessageHeader};
use std::sync::{Arc, OnceLock};

/// A mail to be sent.
pub struct Mail {
    pub to: Email,
    pub subject: String,
    pub text: String,
    pub html: String,
    /// Where one click ends such mails (RFC 8058); None for mails that were asked for.
    pub unsubscribe: Option<String>,
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The texts hold tokens.
        write!(f, "Mail({:?})", self.subject)
    }
}

/// Cheap to clone; the client is made at first use.
#[derive(Clone)]
pub struct Mailer(Arc<Inner>);

struct Inner {
    aws: Aws,
    endpoint: Option<String>,
    from: String,
    client: OnceLock<Client>,
}

impl Mailer {
    pub fn new(aws: Aws, endpoint: Option<String>, config: &Config) -> Self {
        Self(Arc::new(Inner { aws, endpoint, from: config.mail_from.clone(), client: OnceLock::new() }))
    }

    fn client(&self) -> &Client {
        self.0.client.get_or_init(|| {
            let config = sdk_config!(aws_sdk_sesv2, self.0.aws, self.0.endpoint);
            Client::from_conf(config.build())
        })
    }

    /// Sends a mail.
    ///
    /// # Errors
    /// Unavailable; internal when SES refuses this mail or sender, and would again (SES API, "SendEmail", "Errors").
    pub async fn send(&self, mail: Mail) -> Result<()> {
        let text = |text: String| Content::builder().data(text).charset("UTF-8").build().map_err(Error::internal);
        let body = Body::builder().text(text(mail.text)?).html(text(mail.html)?).build();
        let mut message = Message::builder().subject(text(mail.subject)?).body(body);
        if let Some(link) = mail.unsubscribe {
            message = message.headers(header("List-Unsubscribe", format!("<{link}>"))?);
            message = message.headers(header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".into())?);
        }
        self.client()
            .send_email()
            .from_email_address(&self.0.from)
            .destination(Destination::builder().to_addresses(mail.to.as_str()).build())
            .content(EmailContent::builder().simple(message.build()).build())
            .send()
            .await
            .map(|_| ())
            .map_err(refusal)
    }
}

fn refusal(error: SdkError<SendEmailError>) -> Error {
    use SendEmailError as E;
    match error.as_service_error() {
        Some(
            E::MessageRejected(_)
            | E::BadRequestException(_)
            | E::NotFoundException(_)
            | E::MailFromDomainNotVerifiedException(_),
        ) => Error::internal(error),
        _ => Error::unavailable(error),
    }
}

fn header(name: &str, value: String) -> Result<MessageHeader> {
    MessageHeader::builder().name(name).value(value).build().map_err(Error::internal)
}
