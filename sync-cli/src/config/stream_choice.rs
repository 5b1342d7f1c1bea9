//! Which streams of an account are read into a warehouse.

use sync_mailchimp::catalogue::{self, StreamDefinition};

/// The word for everything that is read unless it is excluded.
const ALL: &str = "all";

/// Streams by name, each of which exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamChoice {
    chosen: Vec<&'static StreamDefinition>,
}

impl StreamChoice {
    /// The streams of these names but the excluded ones. `all` stands for those that the catalogue reads by default; streams
    /// that cost a call for each member or campaign must be named.
    ///
    /// # Errors
    /// The first name that is none, in words.
    pub fn new<S: AsRef<str>>(names: &[S], excluded: &[S]) -> Result<Self, String> {
        for name in names.iter().chain(excluded).map(AsRef::as_ref) {
            if name != ALL && find(name).is_none() {
                return Err(format!(
                    "there is no stream {name:?}; sync-cli discover lists them"
                ));
            }
        }
        let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
        let chosen = everything()
            .filter(|stream| {
                names.contains(&stream.name) || stream.by_default && names.contains(&ALL)
            })
            .filter(|stream| !excluded.iter().any(|name| name.as_ref() == stream.name))
            .collect();
        Ok(Self { chosen })
    }

    /// Everything that the catalogue reads by default.
    pub fn all() -> Self {
        Self {
            chosen: everything().filter(|stream| stream.by_default).collect(),
        }
    }

    /// The streams.
    pub fn definitions(&self) -> impl Iterator<Item = &'static StreamDefinition> {
        self.chosen.iter().copied()
    }

    /// Whether no stream is chosen.
    pub fn is_empty(&self) -> bool {
        self.chosen.is_empty()
    }
}

/// The members of audiences, and all other streams.
pub(crate) fn everything() -> impl Iterator<Item = &'static StreamDefinition> {
    std::iter::once(catalogue::members()).chain(catalogue::streams())
}

fn find(name: &str) -> Option<&'static StreamDefinition> {
    everything().find(|stream| stream.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(choice: &StreamChoice) -> Vec<&'static str> {
        choice.definitions().map(|stream| stream.name).collect()
    }

    #[test]
    fn all_leaves_out_what_costs_a_call_for_each_member() {
        let all = StreamChoice::new(&["all"], &[]).unwrap();
        assert_eq!(all, StreamChoice::all());
        assert!(names(&all).contains(&"members"));
        assert!(names(&all).contains(&"campaigns"));
        assert!(!names(&all).contains(&"member_events"));
        let more = StreamChoice::new(&["all", "member_events"], &[]).unwrap();
        assert_eq!(names(&more).len(), names(&all).len() + 1);
    }

    #[test]
    fn excluded_streams_are_left_out_and_unknown_ones_are_named() {
        let some = StreamChoice::new(&["campaigns", "lists"], &["lists"]).unwrap();
        assert_eq!(names(&some), ["campaigns"]);
        let error = StreamChoice::new(&["campain"], &[]).unwrap_err();
        assert!(error.contains("campain"), "{error}");
        assert!(StreamChoice::new(&["all"], &["nothing"]).is_err());
    }
}
