//! Services of which Perch calls one or two operations, by AWS's JSON protocols.
//!
//! A call goes through the SDK's own runtime: signatures, time-outs, retries. Only the generated client is left out, for
//! that of SES alone takes half a minute of a first build.

use super::Aws;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_runtime::auth::SigV4OperationSigningConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::AuthSchemeOptionResolverParams;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::error::ErrorMetadata;
use aws_types::SigningName;
use aws_types::region::{Region, SigningRegion};
use serde_json::Value;

/// A call that was refused by the service (its error's code is in the metadata), or that got no answer.
pub(crate) type CallError = SdkError<ErrorMetadata, HttpResponse>;

/// A service, by the name in its address (`email`) and the one it signs with (`ses`).
#[derive(Clone)]
pub(crate) struct JsonService(Operation<Call, Value, ErrorMetadata>);

/// What is posted.
struct Call {
    path: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: Value,
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The body may hold secrets.
        write!(f, "Call({}, {:?})", self.path, self.headers)
    }
}

impl JsonService {
    pub(crate) fn new(aws: &Aws, host: &str, signing_name: &'static str, endpoint: Option<&str>) -> Self {
        let url = endpoint.map_or_else(|| aws.url(host), str::to_owned);
        let operation = Operation::builder()
            .service_name(signing_name)
            .operation_name("Post")
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&url)
            .http_client(aws.http_client(endpoint))
            .timeout_config(aws.timeouts())
            .standard_retry(&aws.retries())
            .retry_classifier(TransientErrorClassifier::<ErrorMetadata>::new())
            .retry_classifier(AwsErrorCodeClassifier::<ErrorMetadata>::new())
            .retry_classifier(HttpStatusCodeClassifier::default())
            .runtime_plugin(signing(aws, signing_name))
            .serializer(request)
            .deserializer(answer);
        Self(operation.build())
    }

    /// Posts JSON and answers the service's JSON.
    ///
    /// # Errors
    /// See [`CallError`].
    pub(crate) async fn post(
        &self,
        path: &'static str,
        headers: &'static [(&'static str, &'static str)],
        body: Value,
    ) -> Result<Value, CallError> {
        self.0.invoke(Call { path, headers, body }).await
    }
}

/// Signs with the function's credentials, as SDK clients do.
fn signing(aws: &Aws, name: &'static str) -> StaticRuntimePlugin {
    let mut config = Layer::new("signing");
    config.store_put(AuthSchemeOptionResolverParams::new(()));
    config.store_put(SigV4OperationSigningConfig {
        region: Some(SigningRegion::from(Region::new(aws.region()))),
        name: Some(SigningName::from_static(name)),
        ..Default::default()
    });
    let mut components = RuntimeComponentsBuilder::new("signing");
    components.set_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID])));
    components.push_auth_scheme(SigV4AuthScheme::new());
    components.set_identity_resolver(SCHEME_ID, SharedCredentialsProvider::new(aws.credentials()));
    StaticRuntimePlugin::new().with_config(config.freeze()).with_runtime_components(components)
}

fn request(call: Call) -> Result<HttpRequest, BoxError> {
    let mut request = HttpRequest::new(SdkBody::from(call.body.to_string()));
    request.set_method("POST")?;
    request.set_uri(call.path)?;
    for (name, value) in call.headers {
        request.headers_mut().try_insert(*name, *value)?;
    }
    Ok(request)
}

fn answer(response: &HttpResponse) -> Result<Value, OrchestratorError<ErrorMetadata>> {
    let body = response.body().bytes().unwrap_or_default();
    if response.status().is_success() {
        return serde_json::from_slice(body).map_err(OrchestratorError::other);
    }
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| body[name].as_str();
    let code = response.headers().get("x-amzn-errortype").or_else(|| text("__type")).or_else(|| text("code"));
    let mut error = ErrorMetadata::builder();
    if let Some(code) = code.and_then(short) {
        error = error.code(code);
    }
    if let Some(message) = text("message").or_else(|| text("Message")) {
        error = error.message(message);
    }
    Err(OrchestratorError::operation(error.build()))
}

/// The name in `namespace#Name:http://…` (AWS restJson1 protocol, "Operation error serialization").
fn short(code: &str) -> Option<&str> {
    code.split(':').next()?.rsplit('#').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_loses_its_namespace_and_address() {
        for code in ["A", "com.amazonaws.ses#A", "A:http://internal.amazon.com/", "com.amazonaws.ses#A:http://x"] {
            assert_eq!(short(code), Some("A"));
        }
    }
}
