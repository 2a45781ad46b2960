//! Mail, sent through SES.

use crate::aws::Aws;
use crate::aws::json::{CallError, JsonService};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::models::user::Email;
use serde_json::{Value, json};
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

/// Cheap to clone; the service is set up at first use.
#[derive(Clone)]
pub struct Mailer(Arc<Inner>);

struct Inner {
    aws: Aws,
    endpoint: Option<String>,
    from: String,
    configuration_set: String,
    service: OnceLock<JsonService>,
}

impl Mailer {
    pub fn new(aws: Aws, endpoint: Option<String>, config: &Config) -> Self {
        let (from, configuration_set) = (config.mail_from.clone(), config.mail_configuration_set.clone());
        Self(Arc::new(Inner { aws, endpoint, from, configuration_set, service: OnceLock::new() }))
    }

    fn service(&self) -> &JsonService {
        let Inner { aws, endpoint, .. } = &*self.0;
        self.0.service.get_or_init(|| JsonService::new(aws, "email", "ses", endpoint.as_deref()))
    }

    /// Sends a mail: SES v2, "SendEmail".
    ///
    /// # Errors
    /// A passing error when SES does not answer; an internal one when it refuses this mail or sender, and would again (SES API, "SendEmail", "Errors").
    pub async fn send(&self, mail: Mail) -> Result<()> {
        let headers = [("content-type", "application/json")].as_slice();
        let body = request(&self.0.from, &self.0.configuration_set, mail);
        let sent = self.service().post("/v2/email/outbound-emails", headers, body).await;
        sent.map(|_| ()).map_err(refusal)
    }
}

fn request(from: &str, configuration_set: &str, mail: Mail) -> Value {
    let text = |text: String| json!({"Data": text, "Charset": "UTF-8"});
    let header = |name: &str, value: &str| json!({"Name": name, "Value": value});
    let mut message = json!({
        "Subject": text(mail.subject),
        "Body": {"Text": text(mail.text), "Html": text(mail.html)},
    });
    if let Some(link) = mail.unsubscribe {
        message["Headers"] = json!([
            header("List-Unsubscribe", &format!("<{link}>")),
            header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ]);
    }
    json!({
        "FromEmailAddress": from,
        "ConfigurationSetName": configuration_set,
        "Destination": {"ToAddresses": [mail.to.in_ascii()]},
        "Content": {"Simple": message},
    })
}

fn refusal(error: CallError) -> Error {
    let code = error.as_service_error().and_then(|refusal| refusal.code());
    match code {
        Some(
            "MessageRejected" | "BadRequestException" | "NotFoundException" | "MailFromDomainNotVerifiedException",
        ) => Error::internal(error),
        _ => Error::unavailable(error),
    }
}
