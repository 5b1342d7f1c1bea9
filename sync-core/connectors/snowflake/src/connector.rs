//! What every session at one account begins with.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sync_core::Clock;

use crate::answer::Envelope;
use crate::client::{random_id, zipped};
use crate::error::{ClientError, Result, translate};
use crate::identifier::Identifier;
use crate::key_pair::KeyPair;
use crate::settings::{Credential, Names, SnowflakeSettings};
use crate::transport::{Request, RetryPolicy, Transport};

/// Makes sessions.
pub(crate) struct Connector {
    pub(crate) settings: SnowflakeSettings,
    pub(crate) names: Names,
    pub(crate) transport: Transport,
    proof: Proof,
    clock: Arc<dyn Clock>,
}

enum Proof {
    KeyPair(KeyPair),
    AccessToken(SecretString),
    Password(SecretString),
}

impl Connector {
    pub(crate) fn new(
        settings: SnowflakeSettings,
        credential: Credential,
        clock: Arc<dyn Clock>,
        retry: RetryPolicy,
    ) -> sync_core::Result<Self> {
        settings.validate()?;
        let configuration = |error| translate("read settings", error);
        let proof = match credential {
            Credential::KeyPair {
                private_key,
                passphrase,
            } => Proof::KeyPair(
                KeyPair::read(&private_key, passphrase.as_ref()).map_err(configuration)?,
            ),
            Credential::AccessToken(token) => Proof::AccessToken(token),
            Credential::Password(password) => Proof::Password(password),
        };
        Ok(Self {
            names: settings.names()?,
            transport: Transport::new(settings.base_url()?, retry).map_err(configuration)?,
            settings,
            proof,
            clock,
        })
    }

    /// The tokens of a new session: its own, and the one that renews it.
    pub(crate) async fn log_in(&self) -> Result<(SecretString, Option<SecretString>)> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Tokens {
            token: Option<SecretString>,
            master_token: Option<SecretString>,
        }
        let mut data = json!({
            "ACCOUNT_NAME": self.settings.account,
            "LOGIN_NAME": self.settings.user,
            "SESSION_PARAMETERS": parameters(&self.settings),
        });
        match &self.proof {
            Proof::KeyPair(key) => {
                let token = key.token(
                    &self.settings.account,
                    &self.settings.user,
                    self.clock.now(),
                )?;
                data["AUTHENTICATOR"] = "SNOWFLAKE_JWT".into();
                data["TOKEN"] = token.into();
            }
            Proof::AccessToken(token) => {
                data["AUTHENTICATOR"] = "PROGRAMMATIC_ACCESS_TOKEN".into();
                data["TOKEN"] = token.expose_secret().into();
            }
            Proof::Password(password) => data["PASSWORD"] = password.expose_secret().into(),
        }
        let id = random_id();
        let names = &self.names;
        let database = written(&names.database);
        let schema = written(&names.schema);
        let warehouse = names.warehouse.as_ref().map(written);
        let role = names.role.as_ref().map(written);
        let mut query = vec![
            ("requestId", id.as_str()),
            ("databaseName", &database),
            ("schemaName", &schema),
        ];
        query.extend(warehouse.as_deref().map(|name| ("warehouse", name)));
        query.extend(role.as_deref().map(|name| ("roleName", name)));
        let reply = self
            .transport
            .send(Request {
                path: "/session/v1/login-request",
                accept: "application/json",
                query: &query,
                token: None,
                body: Some(zipped(&json!({ "data": data }))),
            })
            .await?;
        let envelope = Envelope::<Tokens>::read(&reply)?;
        if !envelope.success {
            return Err(ClientError::Login {
                code: envelope.code.unwrap_or_default(),
            });
        }
        let tokens = envelope
            .data
            .and_then(|data| Some((data.token?, data.master_token)));
        // Success without a token: Snowflake wants a second factor or a new password, which only a person can give.
        tokens.ok_or_else(|| ClientError::Login {
            code: "none, but asks for more than this credential".to_owned(),
        })
    }
}

/// A name as the login takes it: without quotes where none are needed.
fn written(name: &Identifier) -> String {
    let plain = name.as_str().chars().enumerate().all(|(place, c)| {
        c.is_ascii_uppercase() || c == '_' || place > 0 && (c.is_ascii_digit() || c == '$')
    });
    if plain {
        name.as_str().to_owned()
    } else {
        name.to_string()
    }
}

/// What a session is to be like, whatever account, user and warehouse have set.
fn parameters(settings: &SnowflakeSettings) -> Map<String, Value> {
    let mut parameters = Map::new();
    let mut set = |name: &str, value: Value| parameters.insert(name.to_owned(), value);
    set("AUTOCOMMIT", true.into());
    set("TIMEZONE", "UTC".into());
    set("DATE_INPUT_FORMAT", "AUTO".into());
    set("TIMESTAMP_INPUT_FORMAT", "AUTO".into());
    set("QUOTED_IDENTIFIERS_IGNORE_CASE", false.into());
    set("QUERY_TAG", settings.query_tag.as_str().into());
    set(
        "STATEMENT_TIMEOUT_IN_SECONDS",
        settings.statement_seconds.into(),
    );
    parameters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_into_a_login_as_people_write_them() {
        assert_eq!(written(&Identifier::folded("analytics_1$")), "ANALYTICS_1$");
        let odd = Identifier::parse("\"my db\"").unwrap();
        assert_eq!(written(&odd), "\"my db\"");
        let lower = Identifier::parse("\"db\"").unwrap();
        assert_eq!(written(&lower), "\"db\"");
    }
}
