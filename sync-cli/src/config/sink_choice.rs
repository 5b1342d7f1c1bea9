//! Where records go, as one word on the command line: `kind:target`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::Deserialize;
use sync_core::JsonlTarget;

use super::DEFAULT_ACCOUNT;

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
}

impl Default for SinkChoice {
    fn default() -> Self {
        Self::Ometria {
            account: DEFAULT_ACCOUNT.to_owned(),
        }
    }
}

impl SinkChoice {
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
            _ => Err(
                "the kind is unknown; there are ometria, ometria:ACCOUNT, jsonl:DIR and jsonl:-"
                    .to_owned(),
            ),
        }
    }
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
        ] {
            assert_eq!(text.parse::<SinkChoice>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn unknown_kinds_and_missing_targets_are_refused() {
        for text in ["", "csv:out", "jsonl", "jsonl:", "ometria:", "Ometria"] {
            assert!(text.parse::<SinkChoice>().is_err(), "{text}");
        }
    }
}
