//! The one place that reads the process environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;

use super::error::ConfigError;

/// Environment variables, with those of a `.env` file beneath. An empty variable counts as absent, which is how container
/// tools pass on variables that nobody set.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, Variable>,
}

#[derive(Clone)]
struct Variable {
    value: String,
    from: &'static str,
}

impl Environment {
    /// The process environment over `.env` in `directory`, if there is one. The process environment itself is not changed,
    /// so child processes and `ps e` see no more than before.
    ///
    /// # Errors
    /// When `.env` cannot be read or a line in it is no `NAME=value`. The line is not shown: it may hold a key.
    pub fn read(directory: &Path) -> Result<Self, ConfigError> {
        Self::layered(std::env::vars_os(), directory)
    }

    /// Like [`read`](Self::read), with these variables in place of the process environment.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub fn layered(
        process: impl IntoIterator<Item = (OsString, OsString)>,
        directory: &Path,
    ) -> Result<Self, ConfigError> {
        let mut variables = BTreeMap::new();
        let mut add = |name: String, value: String, from| {
            if !value.trim().is_empty() {
                variables.insert(name, Variable { value, from });
            }
        };
        let unreadable = |problem| {
            ConfigError::new(
                ".env",
                problem,
                "write one NAME=value a line, values with spaces or # in quotes",
            )
        };
        match dotenvy::from_path_iter(directory.join(".env")) {
            Ok(lines) => {
                for line in lines {
                    // The error of a bad line quotes it.
                    let (name, value) = line.map_err(|_| unreadable("a line is not NAME=value"))?;
                    add(name, value, "in .env");
                }
            }
            Err(error) if error.not_found() => {}
            Err(_) => return Err(unreadable("the file cannot be read")),
        }
        for (name, value) in process {
            // A variable that is no text cannot be one of ours.
            if let (Ok(name), Ok(value)) = (name.into_string(), value.into_string()) {
                add(name, value, "in the environment");
            }
        }
        Ok(Self { variables })
    }

    /// The value of a variable and where it was found, in words.
    pub fn get(&self, name: &str) -> Option<(&str, &'static str)> {
        self.variables
            .get(name)
            .map(|variable| (variable.value.as_str(), variable.from))
    }

    /// The rest of each name that begins with `prefix`.
    pub fn suffixes<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.variables
            .keys()
            .filter_map(move |name| name.strip_prefix(prefix))
    }
}

/// Shows how many there are: values may be keys.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("variables", &self.variables.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        pairs
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect()
    }

    #[test]
    fn the_process_environment_stands_over_the_file() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(".env"), "A=file\nB=\"from file\"\n").unwrap();
        let environment =
            Environment::layered(variables(&[("A", "process"), ("C", "")]), directory.path())
                .unwrap();
        assert_eq!(
            environment.get("A"),
            Some(("process", "in the environment"))
        );
        assert_eq!(environment.get("B"), Some(("from file", "in .env")));
        assert_eq!(
            environment.get("C"),
            None,
            "an empty variable counts as absent"
        );
    }

    #[test]
    fn a_bad_line_is_refused_without_being_shown() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(
            directory.path().join(".env"),
            "MAILCHIMP_API_KEY secret-word-us6\n",
        )
        .unwrap();
        let error = Environment::layered([], directory.path()).unwrap_err();
        assert!(error.to_string().contains(".env"));
        assert!(!format!("{error} {error:?}").contains("secret-word"));
    }
}
