//! A setting that is wrong.

use std::fmt;

use sync_core::{Error, ErrorKind};

/// Names the setting, where its value came from, what is wrong and what to do. Never holds the value of a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    setting: String,
    problem: String,
    remedy: String,
}

impl ConfigError {
    /// All three in lower case and without a full stop. `setting` says the name as the operator wrote it and where, such
    /// as `MAILCHIMP_LIST_ID in .env`.
    pub fn new(
        setting: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            setting: setting.into(),
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    /// The setting, and where it was found.
    pub fn setting(&self) -> &str {
        &self.setting
    }

    /// What to do.
    pub fn remedy(&self) -> &str {
        &self.remedy
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.setting, self.problem, self.remedy)
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self::new(ErrorKind::Config, "read settings", error.to_string())
    }
}
