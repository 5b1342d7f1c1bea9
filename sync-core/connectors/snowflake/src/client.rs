//! A session at Snowflake, and the statements it runs: the protocol that Snowflake's own drivers speak.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Mutex;

use crate::answer::{Answer, Envelope, ResultRow};
use crate::connector::Connector;
use crate::error::{ClientError, Result};
use crate::transport::{Request, Transport};

/// The statement still runs; ask again.
const IN_PROGRESS: [&str; 2] = ["333333", "333334"];
/// The session's token is too old and can be renewed; the session goes on.
const EXPIRED: &str = "390112";
/// The session, or what would renew it, is gone: no token found, unknown, ended, master token absent, old, unknown.
const GONE: [&str; 7] = [
    "390103", "390104", "390110", "390111", "390113", "390114", "390115",
];

/// Runs statements in one session, which it makes when it is needed.
pub(crate) struct Client {
    connector: Arc<Connector>,
    session: Mutex<Sessions>,
}

#[derive(Default)]
struct Sessions {
    current: Option<Arc<Session>>,
    made: u64,
}

/// One login. Temporary tables live and end with it.
struct Session {
    number: u64,
    token: SecretString,
    /// Renews the token.
    master: Option<SecretString>,
}

/// A statement with its bound values, ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    body: Bytes,
}

#[derive(Serialize)]
struct Binding<'a> {
    r#type: &'static str,
    value: &'a str,
}

impl Statement {
    /// Question marks in `sql` stand for the texts of `bound`, in order.
    pub(crate) fn new(sql: &str, bound: &[&str]) -> Self {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Body<'a> {
            sql_text: &'a str,
            #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_map")]
            bindings: Vec<(String, Binding<'a>)>,
        }
        fn as_map<S: serde::Serializer>(
            bindings: &[(String, Binding<'_>)],
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            serializer.collect_map(bindings.iter().map(|(place, binding)| (place, binding)))
        }
        let bindings = bound
            .iter()
            .enumerate()
            .map(|(place, value)| {
                let binding = Binding {
                    r#type: "TEXT",
                    value,
                };
                ((place + 1).to_string(), binding)
            })
            .collect();
        Self {
            body: zipped(&Body {
                sql_text: sql,
                bindings,
            }),
        }
    }

    /// What it takes on the way.
    pub(crate) fn bytes(&self) -> usize {
        self.body.len()
    }
}

pub(crate) fn zipped(body: &impl Serialize) -> Bytes {
    let mut zip = GzEncoder::new(Vec::new(), Compression::default());
    // Writing into memory cannot fail, and what is written has no map whose keys are not text.
    let _ = serde_json::to_writer(&mut zip, body);
    let _ = zip.flush();
    zip.finish().unwrap_or_default().into()
}

impl Client {
    pub(crate) fn new(connector: Arc<Connector>) -> Self {
        Self {
            connector,
            session: Mutex::default(),
        }
    }

    fn transport(&self) -> &Transport {
        &self.connector.transport
    }

    /// Runs a statement and gives its result.
    ///
    /// [`ClientError::SessionLost`] tells that the session ended before the answer came; the statement may have run.
    pub(crate) async fn run(&self, statement: &Statement) -> Result<Answer> {
        let id = random_id();
        let mut envelope = self
            .exchange("/queries/v1/query-request", &id, Some(&statement.body))
            .await?;
        while envelope
            .code
            .as_deref()
            .is_some_and(|code| IN_PROGRESS.contains(&code))
        {
            let path = envelope
                .data
                .as_ref()
                .and_then(|data| data.get_result_url.as_deref())
                .ok_or(ClientError::Answer("a running statement without a path"))?
                .to_owned();
            // Snowflake holds the answer back while the statement runs; should it not, it is not asked all the time.
            self.transport().pause().await;
            envelope = self.exchange(&path, &random_id(), None).await?;
        }
        let data = envelope.data.unwrap_or_default();
        if envelope.success {
            return Ok(data);
        }
        Err(ClientError::Sql {
            code: envelope.code.unwrap_or_default(),
            state: data.sql_state.unwrap_or_default(),
            query_id: data.query_id.unwrap_or_default(),
        })
    }

    /// Runs a statement that does not depend on what went before in its session, and may run twice: a lost session is made
    /// again and the statement repeated.
    pub(crate) async fn run_anywhere(&self, statement: &Statement) -> Result<Answer> {
        for _ in 1..MOST_SESSIONS {
            match self.run(statement).await {
                Err(ClientError::SessionLost) => {}
                other => return other,
            }
        }
        self.run(statement).await
    }

    /// The rows that a query gives, as text.
    pub(crate) async fn rows(&self, sql: &str, bound: &[&str]) -> Result<Vec<ResultRow>> {
        let answer = self.run_anywhere(&Statement::new(sql, bound)).await?;
        answer.rows(self.transport()).await
    }

    /// The number of the session that the next statement runs in: it changes when a session was lost.
    pub(crate) async fn session_number(&self) -> Result<u64> {
        Ok(self.session().await?.number)
    }

    async fn exchange(
        &self,
        path: &str,
        id: &str,
        body: Option<&Bytes>,
    ) -> Result<Envelope<Answer>> {
        let mut renewed = false;
        loop {
            let session = self.session().await?;
            let reply = self
                .transport()
                .send(Request {
                    path,
                    accept: "application/snowflake",
                    query: &[("requestId", id)],
                    token: Some(&session.token),
                    body: body.cloned(),
                })
                .await;
            let envelope = match reply {
                Ok(body) => Envelope::<Answer>::read(&body)?,
                Err(ClientError::Status { status: 401, .. }) => {
                    self.forget(&session).await;
                    return Err(ClientError::SessionLost);
                }
                Err(error) => return Err(error),
            };
            match envelope.code.as_deref() {
                Some(EXPIRED) if !renewed && !envelope.success => {
                    self.renew(&session).await?;
                    renewed = true;
                }
                Some(code) if !envelope.success && (code == EXPIRED || GONE.contains(&code)) => {
                    self.forget(&session).await;
                    return Err(ClientError::SessionLost);
                }
                _ => return Ok(envelope),
            }
        }
    }

    async fn session(&self) -> Result<Arc<Session>> {
        let mut sessions = self.session.lock().await;
        if let Some(session) = &sessions.current {
            return Ok(session.clone());
        }
        let (token, master) = self.connector.log_in().await?;
        sessions.made += 1;
        let session = Arc::new(Session {
            number: sessions.made,
            token,
            master,
        });
        sessions.current = Some(session.clone());
        Ok(session)
    }

    async fn forget(&self, lost: &Session) {
        let mut sessions = self.session.lock().await;
        if sessions
            .current
            .as_ref()
            .is_some_and(|current| current.number == lost.number)
        {
            sessions.current = None;
        }
    }

    /// Gets a new token for the same session.
    async fn renew(&self, old: &Session) -> Result<()> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Renewed {
            session_token: SecretString,
            master_token: Option<SecretString>,
        }
        let Some(master) = &old.master else {
            self.forget(old).await;
            return Err(ClientError::SessionLost);
        };
        let body = zipped(&json!({
            "oldSessionToken": old.token.expose_secret(),
            "requestType": "RENEW",
        }));
        let reply = self
            .transport()
            .send(Request {
                path: "/session/token-request",
                accept: "application/json",
                query: &[("requestId", &random_id())],
                token: Some(master),
                body: Some(body),
            })
            .await?;
        let renewed = Envelope::<Renewed>::read(&reply)
            .ok()
            .filter(|envelope| envelope.success)
            .and_then(|envelope| envelope.data);
        let Some(renewed) = renewed else {
            self.forget(old).await;
            return Err(ClientError::SessionLost);
        };
        self.session.lock().await.current = Some(Arc::new(Session {
            number: old.number,
            token: renewed.session_token,
            master: renewed.master_token.or_else(|| old.master.clone()),
        }));
        Ok(())
    }
}

/// How often a statement begins anew in a new session.
pub(crate) const MOST_SESSIONS: usize = 4;

/// A random UUID, by which Snowflake knows a repeated request.
pub(crate) fn random_id() -> String {
    let random = fastrand::u128(..);
    let versioned = random & !(0xf << 76) & !(0b11 << 62) | 0x4 << 76 | 0b10 << 62;
    let hex = format!("{versioned:032x}");
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use serde_json::Value;

    use super::*;

    #[test]
    fn ids_are_random_uuids() {
        let id = random_id();
        let parts: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!(id.as_bytes()[14], b'4', "{id}");
        assert!(b"89ab".contains(&id.as_bytes()[19]), "{id}");
        assert_ne!(id, random_id());
    }

    #[test]
    fn a_statement_holds_its_text_and_bindings() {
        let statement = Statement::new("SELECT ?, ?", &["a\"b", "c"]);
        let mut body = String::new();
        GzDecoder::new(&statement.body[..])
            .read_to_string(&mut body)
            .unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(&body).unwrap(),
            json!({
                "sqlText": "SELECT ?, ?",
                "bindings": {
                    "1": { "type": "TEXT", "value": "a\"b" },
                    "2": { "type": "TEXT", "value": "c" },
                },
            })
        );
    }
}
