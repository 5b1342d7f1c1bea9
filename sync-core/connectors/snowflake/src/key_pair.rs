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

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::Pkcs8V1Der;
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use pkcs8::pkcs5::pbes2;
    use pkcs8::{LineEnding, PrivateKeyInfoRef};
    use serde_json::Value;

    use super::*;

    fn generated() -> (RsaKeyPair, SecretDocument) {
        let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&key).unwrap();
        let document = SecretDocument::try_from(der.as_ref()).unwrap();
        (key, document)
    }

    fn pem(label: &'static str, document: &SecretDocument) -> SecretString {
        let pem = document.to_pem(label, LineEnding::LF).unwrap();
        // As it comes out of an environment variable or a mounted file.
        SecretString::from(format!("\n{}\n\n", pem.as_str()))
    }

    fn encrypted(document: &SecretDocument, passphrase: &str) -> SecretDocument {
        let key = PrivateKeyInfoRef::try_from(document.as_bytes()).unwrap();
        let parameters =
            pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(2048, b"saltsalt", [7; 16])
                .unwrap();
        key.encrypt_with_params(parameters, passphrase).unwrap()
    }

    fn part(token: &str, place: usize) -> Vec<u8> {
        let part = token.split('.').nth(place).unwrap();
        URL_SAFE_NO_PAD.decode(part).unwrap()
    }

    #[test]
    fn a_token_names_account_user_and_key_and_is_signed_by_it() {
        let (key, document) = generated();
        let pair = KeyPair::read(&pem("PRIVATE KEY", &document), None).unwrap();
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let token = pair.token("xy12345.eu-central-1", "Loader", now).unwrap();
        let public = AsDer::<PublicKeyX509Der<'_>>::as_der(key.public_key()).unwrap();
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, public.as_ref());
        let claims: Value = serde_json::from_slice(&part(&token, 1)).unwrap();
        assert_eq!(
            claims,
            json!({
                "iss": format!("XY12345.LOADER.SHA256:{}", STANDARD.encode(digest)),
                "sub": "XY12345.LOADER",
                "iat": 1_700_000_000,
                "exp": 1_700_000_120,
            })
        );
        let header: Value = serde_json::from_slice(&part(&token, 0)).unwrap();
        assert_eq!(header, json!({"alg": "RS256", "typ": "JWT"}));
        let (signed, _) = token.rsplit_once('.').unwrap();
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key())
            .verify(signed.as_bytes(), &part(&token, 2))
            .unwrap();
        let organised = pair.token("my_org-acc", "l", now).unwrap();
        let claims: Value = serde_json::from_slice(&part(&organised, 1)).unwrap();
        assert_eq!(claims["sub"], "MY_ORG-ACC.L");
    }

    #[test]
    fn an_encrypted_key_opens_with_its_passphrase_only() {
        let (_, document) = generated();
        let closed = encrypted(&document, "open sesame");
        let closed = pem("ENCRYPTED PRIVATE KEY", &closed);
        let phrase = |text: &str| Some(SecretString::from(text));
        let open = KeyPair::read(&pem("PRIVATE KEY", &document), None).unwrap();
        let opened = KeyPair::read(&closed, phrase("open sesame").as_ref()).unwrap();
        assert_eq!(opened.fingerprint, open.fingerprint);
        for wrong in [None, phrase("open"), phrase("")] {
            assert!(KeyPair::read(&closed, wrong.as_ref()).is_err());
        }
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_shown() {
        for text in [
            "",
            "hush",
            "-----BEGIN PRIVATE KEY-----\naHVzaA==\n-----END PRIVATE KEY-----",
            "-----BEGIN RSA PRIVATE KEY-----\naHVzaA==\n-----END RSA PRIVATE KEY-----",
            "-----BEGIN PUBLIC KEY-----\naHVzaA==\n-----END PUBLIC KEY-----",
        ] {
            let error = KeyPair::read(&SecretString::from(text), None).map(|_| ());
            let error = error.unwrap_err();
            assert!(matches!(error, ClientError::Configuration(_)));
            assert!(!format!("{error:?} {error}").contains("aHVzaA"), "{error}");
        }
    }
}
