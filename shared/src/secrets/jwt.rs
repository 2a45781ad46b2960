//! Access tokens: JWT after RFC 9068, HS256 alone.

use super::{Key, Keys};
use crate::clock::Timestamp;
use crate::ids::{SessionId, UserId};
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::signature::{Error, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::time::Duration;

/// How long an access token lives. Its session is checked at each request all the same.
pub const ACCESS_TOKEN_LIFETIME: Duration = Duration::from_secs(15 * 60);

const AUDIENCE: &str = "perch-api";
/// RFC 9068, 2.1.
const TYPE: &str = "at+jwt";

/// What an access token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    pub iss: String,
    pub aud: String,
    pub sub: UserId,
    pub sid: SessionId,
    /// Seconds since the epoch.
    pub iat: u64,
    pub exp: u64,
}

impl Keys {
    /// A signed access token for a user's session, which is good until then.
    ///
    /// # Errors
    /// [`crate::error::Kind::Internal`] when it can't be encoded, which nothing is known to bring about.
    pub fn access_token(
        &self,
        issuer: &str,
        (user, session): (UserId, SessionId),
        now: Timestamp,
        until: Timestamp,
    ) -> crate::Result<String> {
        let claims = Claims {
            iss: issuer.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user,
            sid: session,
            iat: now.seconds(),
            exp: until.seconds(),
        };
        install_provider();
        let mut header = Header::new(Algorithm::HS256);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(self.current().id.clone());
        jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(&self.current().jwt_secret()))
            .map_err(crate::Error::internal)
    }

    /// Whether the token names a key that is none of these.
    pub fn lack_that_of(&self, token: &str) -> bool {
        let named = jsonwebtoken::decode_header(token).ok().and_then(|header| header.kid);
        named.is_some_and(|id| self.0.iter().all(|key| key.id != id))
    }

    /// The claims of a token that one of the keys signed for this issuer and that has not expired.
    pub fn read_access_token(&self, issuer: &str, token: &str, now: Timestamp) -> Option<Claims> {
        install_provider();
        let header = jsonwebtoken::decode_header(token).ok()?;
        if header.alg != Algorithm::HS256 || header.typ.as_deref() != Some(TYPE) {
            return None;
        }
        let key = self.0.iter().find(|key| Some(&key.id) == header.kid.as_ref())?;
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        // By our own clock, below.
        validation.validate_exp = false;
        let secret = DecodingKey::from_secret(&key.jwt_secret());
        let claims = jsonwebtoken::decode::<Claims>(token, &secret, &validation).ok()?.claims;
        (claims.exp > now.seconds()).then_some(claims)
    }
}

impl Key {
    fn jwt_secret(&self) -> [u8; 32] {
        self.mac(super::Purpose::AccessToken, &[])
    }
}

// jsonwebtoken's ready-made backends bring RSA and curves, or a C library; HS256 needs neither.
static HS256: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| {
        only_hs256(algorithm)?;
        Ok(Box::new(HmacSha256(mac(key.as_bytes())?)))
    },
    verifier_factory: |algorithm, key| {
        only_hs256(algorithm)?;
        Ok(Box::new(HmacSha256(mac(key.try_get_as_bytes()?)?)))
    },
    key_utils: KeyUtils::new_unimplemented(),
};

fn install_provider() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let _ = HS256.install_default();
    });
}

fn only_hs256(algorithm: &Algorithm) -> jsonwebtoken::errors::Result<()> {
    match algorithm {
        Algorithm::HS256 => Ok(()),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

fn mac(key: &[u8]) -> jsonwebtoken::errors::Result<Hmac<Sha256>> {
    Hmac::new_from_slice(key).map_err(|_| ErrorKind::InvalidKeyFormat.into())
}

struct HmacSha256(Hmac<Sha256>);

impl Signer<Vec<u8>> for HmacSha256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.0.clone().chain_update(message).finalize().into_bytes().to_vec())
    }
}

impl JwtSigner for HmacSha256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl Verifier<Vec<u8>> for HmacSha256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), Error> {
        self.0.clone().chain_update(message).verify_slice(signature).map_err(|_| Error::new())
    }
}

impl JwtVerifier for HmacSha256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::{base64url, test_keys};

    fn token(now: Timestamp) -> (String, UserId, SessionId) {
        let (user, session) = (UserId::new(now), SessionId::new(now));
        (test_keys().access_token("perch", (user, session), now, now + ACCESS_TOKEN_LIFETIME).unwrap(), user, session)
    }

    #[test]
    fn a_token_says_who_and_until_when() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let (token, user, session) = token(now);
        let claims = test_keys().read_access_token("perch", &token, now).unwrap();
        assert_eq!((claims.sub, claims.sid), (user, session));
        let last = now + ACCESS_TOKEN_LIFETIME;
        assert!(test_keys().read_access_token("perch", &token, last).is_none(), "expired");
        assert!(test_keys().read_access_token("other", &token, now).is_none(), "another issuer's");
    }

    #[test]
    fn forged_tokens_are_refused() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let (token, ..) = token(now);
        let parts: Vec<&str> = token.split('.').collect();
        let with_header = |json: &str| format!("{}.{}.{}", base64url(json.as_bytes()), parts[1], parts[2]);
        let kid = &test_keys().0[0].id;
        let forged = [
            with_header(r#"{"alg":"none","typ":"at+jwt"}"#),
            with_header(&format!(r#"{{"alg":"HS256","typ":"JWT","kid":"{kid}"}}"#)),
            with_header(&format!(r#"{{"alg":"HS512","typ":"at+jwt","kid":"{kid}"}}"#)),
            with_header(r#"{"alg":"HS256","typ":"at+jwt","kid":"00000000"}"#),
            with_header(r#"{"alg":"HS256","typ":"at+jwt"}"#),
            format!("{}.{}.", parts[0], parts[1]),
            format!("{}.{}.{}", parts[0], base64url(br#"{"sub":"usr_0"}"#), parts[2]),
            String::new(),
            "a.b.c".into(),
        ];
        for token in forged {
            assert!(test_keys().read_access_token("perch", &token, now).is_none(), "{token}");
        }
    }
}
