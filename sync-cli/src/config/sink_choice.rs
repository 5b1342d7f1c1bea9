//! Where records go, as one word on the command line: `kind:target`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::Deserialize;
use sync_core::JsonlTarget;

use super::DEFAULT_ACCOUNT;

/// What can be named.
const KINDS: &str = "ometria[:ACCOUNT], jsonl:DIR, jsonl:-, sqlite:FILE, postgres[:NAME], snowflake[:NAME], files:DIR, \
                     s3://BUCKET/PREFIX, gs://BUCKET/PREFIX and az://CONTAINER/PREFIX";

/// A sink and which of them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum SinkChoice {
    /// `ometria` or `ometria:NAME`: the Ometria account of this name.
    Ometria {
        /// Name of the account in the settings; `default` unless told otherwise.
        account: String,
    },
    /// `jsonl:DIRECTORY` or `jsonl:-`: lines of JSON.
    Jsonl(JsonlTarget),
    /// `sqlite:FILE`: tables in one file.
    Sqlite(PathBuf),
    /// `postgres` or `postgres:NAME`: tables in the database of this name.
    Postgres {
        /// Name of the database in the settings; `default` unless told otherwise.
        account: String,
    },
    /// `snowflake` or `snowflake:NAME`: tables in the Snowflake account of this name.
    Snowflake {
        /// Name of the account in the settings; `default` unless told otherwise.
        account: String,
    },
    /// `files:DIR`, `s3://BUCKET/PREFIX`, `gs://…` or `az://…`: files by stream and date.
    Files {
        /// The place, as written.
        url: String,
    },
}

impl Default for SinkChoice {
    fn default() -> Self {
        Self::Ometria {
            account: DEFAULT_ACCOUNT.to_owned(),
        }
    }
}

impl SinkChoice {
    /// Whether it takes everything an account holds, unless told otherwise.
    pub(crate) fn is_warehouse(&self) -> bool {
        !matches!(self, Self::Ometria { .. } | Self::Jsonl(_))
    }

    /// Whether the sink takes standard output for itself.
    pub fn writes_to_stdout(&self) -> bool {
        *self == Self::Jsonl(JsonlTarget::Stdout)
    }
}

impl FromStr for SinkChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, target) = match text.split_once(':') {
            Some((kind, target)) => (kind, Some(target)),
            None => (text, None),
        };
        match (kind, target) {
            ("ometria", None) => Ok(Self::default()),
            ("ometria", Some(account)) if !account.is_empty() => Ok(Self::Ometria {
                account: account.to_owned(),
            }),
            ("ometria", Some(_)) => Err("name the account, as in ometria:main".to_owned()),
            ("jsonl", Some("-")) => Ok(Self::Jsonl(JsonlTarget::Stdout)),
            ("jsonl", Some(directory)) if !directory.is_empty() => Ok(Self::Jsonl(
                JsonlTarget::Directory(PathBuf::from(directory)),
            )),
            ("jsonl", _) => Err("name a directory, as in jsonl:./out, or jsonl:-".to_owned()),
            ("sqlite", Some(file)) if !file.is_empty() => Ok(Self::Sqlite(PathBuf::from(file))),
            ("sqlite", _) => Err("name a file, as in sqlite:mailchimp.db".to_owned()),
            ("postgres", None) => Ok(Self::Postgres {
                account: DEFAULT_ACCOUNT.to_owned(),
            }),
            ("postgres", Some(account)) if is_name(account) => Ok(Self::Postgres {
                account: account.to_owned(),
            }),
            // An address would stand in the process list, and it holds a password.
            ("postgres" | "postgresql", Some(_)) => {
                Err("put the address into POSTGRES_URL, and write postgres here".to_owned())
            }
            ("snowflake", None) => Ok(Self::Snowflake {
                account: DEFAULT_ACCOUNT.to_owned(),
            }),
            ("snowflake", Some(account)) if is_name(account) => Ok(Self::Snowflake {
                account: account.to_owned(),
            }),
            ("snowflake", Some(_)) => {
                Err("name the account's settings, as in snowflake:main".to_owned())
            }
            ("files", Some(directory)) if !directory.is_empty() => Ok(Self::Files {
                url: text.to_owned(),
            }),
            ("s3" | "gs" | "az", Some(place)) if place.starts_with("//") && place.len() > 2 => {
                Ok(Self::Files {
                    url: text.to_owned(),
                })
            }
            ("files" | "s3" | "gs" | "az", _) => Err(
                "name a directory, as in files:./out, or a bucket, as in s3://bucket/prefix"
                    .to_owned(),
            ),
            _ => Err(format!("the kind is unknown; there are {KINDS}")),
        }
    }
}

/// Whether text can be the name of an account, and no address that would bring a password into the process list.
fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    !text.is_empty() && text.bytes().all(plain)
}

impl TryFrom<String> for SinkChoice {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for SinkChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ometria { account } if account == DEFAULT_ACCOUNT => f.write_str("ometria"),
            Self::Ometria { account } => write!(f, "ometria:{account}"),
            Self::Jsonl(JsonlTarget::Stdout) => f.write_str("jsonl:-"),
            Self::Jsonl(JsonlTarget::Directory(directory)) => {
                write!(f, "jsonl:{}", directory.display())
            }
            Self::Sqlite(file) => write!(f, "sqlite:{}", file.display()),
            Self::Postgres { account } if account == DEFAULT_ACCOUNT => f.write_str("postgres"),
            Self::Postgres { account } => write!(f, "postgres:{account}"),
            Self::Snowflake { account } if account == DEFAULT_ACCOUNT => f.write_str("snowflake"),
            Self::Snowflake { account } => write!(f, "snowflake:{account}"),
            Self::Files { url } => f.write_str(url),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_as_it_is_written() {
        for text in [
            "ometria",
            "ometria:brand",
            "jsonl:-",
            "jsonl:./out",
            "jsonl:C:/out",
            "sqlite:mailchimp.db",
            "postgres",
            "postgres:brand",
            "snowflake",
            "files:./out",
            "s3://bucket/prefix",
            "gs://bucket",
            "az://container/a/b",
        ] {
            assert_eq!(text.parse::<SinkChoice>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn unknown_kinds_and_missing_targets_are_refused() {
        for text in [
            "",
            "csv:out",
            "jsonl",
            "jsonl:",
            "ometria:",
            "Ometria",
            "sqlite",
            "sqlite:",
            "postgres://u:p@h/d",
            "postgres:",
            "snowflake:A-b",
            "files:",
            "s3:bucket",
            "s3://",
        ] {
            assert!(text.parse::<SinkChoice>().is_err(), "{text}");
        }
    }
}
