//! One setting in several layers: which of them is read, and what is said about a wrong one.

use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};

use super::environment::Environment;
use super::error::ConfigError;

/// A word and where it was found.
pub(super) struct Found {
    pub(super) text: String,
    pub(super) from: String,
}

impl Found {
    pub(super) fn parse<T: FromStr<Err: Display>>(&self, remedy: &str) -> Result<T, ConfigError> {
        self.text
            .trim()
            .parse()
            .map_err(|problem: T::Err| self.wrong(problem.to_string(), remedy))
    }

    pub(super) fn wrong(
        &self,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> ConfigError {
        ConfigError::new(self.from.clone(), problem, remedy)
    }
}

/// The layers, in order.
pub(super) struct Layers<'a> {
    pub(super) environment: &'a Environment,
    pub(super) path: &'a Path,
}

impl Layers<'_> {
    pub(super) fn word(
        &self,
        flag: (&str, Option<String>),
        variable: &str,
        entry: (&str, Option<String>),
    ) -> Option<Found> {
        let (name, given) = flag;
        if let Some(text) = given {
            return Some(Found {
                text,
                from: name.to_owned(),
            });
        }
        self.variable(variable).or_else(|| {
            let (name, text) = entry;
            text.map(|text| Found {
                text,
                from: self.entry(name),
            })
        })
    }

    pub(super) fn variable(&self, name: &str) -> Option<Found> {
        let (text, place) = self.environment.get(name)?;
        Some(Found {
            text: text.to_owned(),
            from: format!("{name} {place}"),
        })
    }

    pub(super) fn entry(&self, name: &str) -> String {
        format!("{name} in {}", self.path.display())
    }

    pub(super) fn key(
        &self,
        variable: &str,
        entry: &str,
        file: Option<SecretString>,
    ) -> Option<(SecretString, String)> {
        if let Some((text, place)) = self.environment.get(variable) {
            return Some((
                SecretString::from(text.trim().to_owned()),
                format!("{variable} {place}"),
            ));
        }
        file.map(|key| {
            (
                SecretString::from(key.expose_secret().trim().to_owned()),
                self.entry(entry),
            )
        })
    }
}

pub(super) fn parse_or_default<T: FromStr<Err: Display> + Default>(
    found: Option<&Found>,
    remedy: &str,
) -> Result<T, ConfigError> {
    found.map_or_else(|| Ok(T::default()), |found| found.parse(remedy))
}

/// A number within bounds, or the default.
pub(super) fn whole_number<T: TryFrom<i64>>(
    given: Option<i64>,
    (least, most): (i64, i64),
    default: T,
    setting: impl FnOnce() -> String,
    remedy: &str,
) -> Result<T, ConfigError> {
    let Some(number) = given else {
        return Ok(default);
    };
    match T::try_from(number) {
        Ok(fitting) if (least..=most).contains(&number) => Ok(fitting),
        _ => Err(ConfigError::new(
            setting(),
            format!("{number} is not from {least} to {most}"),
            remedy,
        )),
    }
}
