//! What a command's end means to whoever started it.

use std::process::ExitCode;

use sync_core::{Error, ErrorKind, Outcome, RunRecord};

use crate::config::ConfigError;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// 0: everything asked for was done.
    Good,
    /// 3: done, but records were rejected, windows could not be read, or the two ends differ.
    Incomplete,
    /// 1: a run could not go on.
    Failed,
    /// 2: the command line or a setting is wrong.
    Usage,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Good => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Incomplete => 3,
        })
    }
}

impl Exit {
    /// What an error means: something to correct first, or something that may pass.
    pub fn of(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Config | ErrorKind::Denied | ErrorKind::Missing => Self::Usage,
            _ => Self::Failed,
        }
    }

    /// What the end of a run means.
    pub fn of_run(record: &RunRecord) -> Self {
        match record.outcome {
            Some(Outcome::Complete | Outcome::Stopped | Outcome::Limited)
                if record.counts.rejected + record.counts.failed_parts == 0 =>
            {
                Self::Good
            }
            Some(Outcome::Complete | Outcome::Stopped | Outcome::Limited | Outcome::Partial) => {
                Self::Incomplete
            }
            _ => {
                let to_correct = [ErrorKind::Config, ErrorKind::Denied, ErrorKind::Missing];
                let kind = record.error_kind.as_deref();
                if to_correct
                    .iter()
                    .any(|correctable| kind == Some(correctable.as_str()))
                {
                    Self::Usage
                } else {
                    Self::Failed
                }
            }
        }
    }
}

/// Why a command could not do its work.
#[derive(Debug)]
pub struct Failure {
    /// What happened.
    pub error: Error,
    /// How the program ends.
    pub exit: Exit,
}

impl Failure {
    /// Nothing was begun yet: whatever is wrong, it is for the operator to put right.
    pub(super) fn before_start(error: impl Into<Error>) -> Self {
        Self {
            error: error.into(),
            exit: Exit::Usage,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            exit: Exit::of(error.kind()),
            error,
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::from(Error::from(error))
    }
}
