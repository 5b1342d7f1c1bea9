//! The login of a key pair: a token that the private key signs.
//!
//! <https://docs.snowflake.com/en/developer-guide/sql-api/authenticating> has the claims.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use pkcs8::{EncryptedPrivateKeyInfoRef, SecretDocument};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::error::{ClientError, Result};

/// How long a token is good for. It is used once, at once; Snowflake's clock may be a little behind ours.
const LIFETIME_SECONDS: i64 = 120;

/// A private key that signs logins.
pub(crate) struct KeyPair {
    key: RsaKeyPair,
    /// Names the public key as Snowflake shows it in `DESCRIBE USER`: `SHA256:` and a digest.
    fingerprint: String,
}

impl KeyPair {
    /// Reads a PKCS#8 key in PEM.
    pub(crate) fn read(pem: &SecretString, passphrase: Option<&SecretString>) -> Result<Self> {
        let pem = pem.expose_secret().trim();
        let (label, document) = SecretDocument::from_pem(pem).map_err(|_| {
            ClientError::Configuration(
                "the private key is no pkcs#8 key in pem, as openssl pkcs8 -topk8 writes it",
            )
        })?;
        let plain = match label {
            "PRIVATE KEY" => document,
            "ENCRYPTED PRIVATE KEY" => {
                let passphrase = passphrase.ok_or(ClientError::Configuration(
                    "the private key is encrypted and there is no passphrase",
                ))?;
                EncryptedPrivateKeyInfoRef::try_from(document.as_bytes())
                    .and_then(|key| key.decrypt(passphrase.expose_secret()))
                    .map_err(|_| {
                        ClientError::Configuration(
                            "the passphrase does not open the private key, or the key is encrypted in an unknown way",
                        )
                    })?
            }
            _ => {
                return Err(ClientError::Configuration(
                    "the private key is not pkcs#8; openssl pkcs8 -topk8 converts it",
                ));
            }
        };
        let unusable =
            |_| ClientError::Configuration("the private key is no rsa key of at least 2048 bits");
        let key = RsaKeyPair::from_pkcs8(plain.as_bytes()).map_err(|_| {
            ClientError::Configuration("the private key is no rsa key of at least 2048 bits")
        })?;
        let public = AsDer::<PublicKeyX509Der<'_>>::as_der(key.public_key()).map_err(unusable)?;
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, public.as_ref());
        Ok(Self {
            fingerprint: format!("SHA256:{}", STANDARD.encode(digest)),
            key,
        })
    }

    /// A token that says who logs in, now.
    pub(crate) fn token(&self, account: &str, user: &str, now: DateTime<Utc>) -> Result<String> {
        // A locator's region is no part of the account's name in a token.
        let account = account
            .split_once('.')
            .map_or(account, |(locator, _)| locator)
            .to_uppercase();
        let subject = format!("{account}.{}", user.to_uppercase());
        let now = now.timestamp();
        let claims = json!({
            "iss": format!("{subject}.{}", self.fingerprint),
            "sub": subject,
            "iat": now,
            "exp": now + LIFETIME_SECONDS,
        });
        let mut token = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","typ":"JWT"}"#);
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(claims.to_string()));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                token.as_bytes(),
                &mut signature,
            )
            .map_err(|_| ClientError::Configuration("the private key cannot sign"))?;
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(signature));
        Ok(token)
    }
}
