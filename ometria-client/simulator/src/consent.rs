//! Which claim decides over a profile's consent, and how that changed over time.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::settings::Rules;

/// What a record claims in `marketing_optin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Claim {
    /// `EXPLICITLY_OPTEDIN`
    OptedIn,
    /// `EXPLICITLY_OPTEDOUT`
    OptedOut,
    /// `NOT_SPECIFIED`
    NotSpecified,
}

impl Claim {
    /// Reads the documented words and the older `true`, `false`; `None` for anything else.
    pub(crate) fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(true) => Some(Self::OptedIn),
            Value::Bool(false) => Some(Self::OptedOut),
            Value::Null => Some(Self::NotSpecified),
            Value::String(word) => match word.as_str() {
                "EXPLICITLY_OPTEDIN" => Some(Self::OptedIn),
                "EXPLICITLY_OPTEDOUT" => Some(Self::OptedOut),
                "NOT_SPECIFIED" => Some(Self::NotSpecified),
                _ => None,
            },
            _ => None,
        }
    }

    /// As a profile shows it.
    pub(crate) fn as_bool(self) -> Option<bool> {
        match self {
            Self::OptedIn => Some(true),
            Self::OptedOut => Some(false),
            Self::NotSpecified => None,
        }
    }
}

/// A claim and the number of the record that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) claim: Claim,
    pub(crate) sequence: u64,
}

/// All that one listing has claimed and that still counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Claims {
    pub(crate) latest: Option<Made>,
    pub(crate) forced: Option<Made>,
}

impl Claims {
    pub(crate) fn record(&mut self, made: Made, forced: bool, unforced_lifts_force: bool) {
        self.latest = Some(made);
        if forced {
            self.forced = Some(made);
        } else if unforced_lifts_force {
            self.forced = None;
        }
    }
}

/// What decides over a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Verdict {
    pub(crate) optin: Option<bool>,
    pub(crate) forced: bool,
}

/// Applies the rules to a profile's listings and to what the person chose in the preference centre.
pub(crate) fn decide(
    rules: Rules,
    listings: impl Iterator<Item = Claims> + Clone,
    preference: Option<Made>,
) -> Verdict {
    let forced = listings.clone().filter_map(|claims| claims.forced);
    // Under the newest rules the preference centre is one more forced claim: it holds until another one.
    let decisive = match rules {
        Rules::Newest => forced.chain(preference).max_by_key(|made| made.sequence),
        Rules::Older => forced.max_by_key(|made| made.sequence).or(preference),
    };
    if let Some(made) = decisive {
        return Verdict {
            optin: made.claim.as_bool(),
            forced: true,
        };
    }
    let latest = listings
        .filter_map(|claims| claims.latest)
        .filter(|made| made.claim != Claim::NotSpecified);
    let optin = match rules {
        // An opt-out is the smaller claim, so it wins.
        Rules::Newest => latest.filter_map(|made| made.claim.as_bool()).min(),
        Rules::Older => latest
            .max_by_key(|made| made.sequence)
            .and_then(|made| made.claim.as_bool()),
    };
    Verdict {
        optin,
        forced: false,
    }
}

/// One moment in the consent of a profile: a record that claimed something, or a change of the outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsentChange {
    /// Position among everything that was processed; later is larger.
    pub sequence: u64,
    /// When the record was accepted, by the server's time: earlier than `at` if it waited in the queue.
    pub accepted_at: DateTime<Utc>,
    /// When it took effect, by the server's time.
    pub at: DateTime<Utc>,
    /// Collection of the listing; `None` for the preference centre.
    pub collection: Option<String>,
    /// Id of the listing; `None` for the preference centre.
    pub id: Option<String>,
    /// What was claimed; `None` for a record that claimed nothing and changed the outcome by joining or leaving.
    pub claim: Option<Claim>,
    /// Whether the claim was forced.
    pub forced: bool,
    /// Whether Ometria may mail the person from then on; `None` when nothing is known.
    pub profile: Option<bool>,
}

/// [`ConsentChange`] as it is kept: a million of these must be cheap.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    pub(crate) sequence: u64,
    pub(crate) accepted_at: DateTime<Utc>,
    pub(crate) at: DateTime<Utc>,
    pub(crate) listing: Option<u32>,
    pub(crate) claim: Option<Claim>,
    pub(crate) forced: bool,
    pub(crate) profile: Option<bool>,
}

impl Moment {
    pub(crate) fn show(&self, listing: Option<(&str, &Arc<str>)>) -> ConsentChange {
        ConsentChange {
            sequence: self.sequence,
            accepted_at: self.accepted_at,
            at: self.at,
            collection: listing.map(|(collection, _)| collection.to_owned()),
            id: listing.map(|(_, id)| id.to_string()),
            claim: self.claim,
            forced: self.forced,
            profile: self.profile,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(claim: Claim, sequence: u64, forced: bool) -> Claims {
        let mut claims = Claims::default();
        claims.record(Made { claim, sequence }, forced, false);
        claims
    }

    fn outcome(rules: Rules, listings: &[Claims], preference: Option<Made>) -> Option<bool> {
        decide(rules, listings.iter().copied(), preference).optin
    }

    #[test]
    fn without_force_the_newest_rules_prefer_the_opt_out_and_the_older_the_latest() {
        let listings = [
            claims(Claim::OptedOut, 1, false),
            claims(Claim::OptedIn, 2, false),
        ];
        assert_eq!(outcome(Rules::Newest, &listings, None), Some(false));
        assert_eq!(outcome(Rules::Older, &listings, None), Some(true));
    }

    #[test]
    fn the_latest_forced_claim_decides_under_both_rules() {
        let listings = [
            claims(Claim::OptedOut, 1, true),
            claims(Claim::OptedIn, 2, true),
            claims(Claim::OptedOut, 3, false),
        ];
        for rules in [Rules::Newest, Rules::Older] {
            assert_eq!(outcome(rules, &listings, None), Some(true));
        }
    }

    #[test]
    fn the_preference_centre_beats_unforced_claims() {
        let preference = Some(Made {
            claim: Claim::OptedIn,
            sequence: 1,
        });
        let unforced = [claims(Claim::OptedOut, 2, false)];
        let forced = [claims(Claim::OptedOut, 2, true)];
        for rules in [Rules::Newest, Rules::Older] {
            assert_eq!(outcome(rules, &unforced, preference), Some(true));
            assert_eq!(outcome(rules, &forced, preference), Some(false));
        }
    }

    #[test]
    fn an_unforced_update_leaves_the_force_of_its_own_listing_unless_switched() {
        for (lifts, expected) in [(false, Some(false)), (true, Some(true))] {
            let mut claims = claims(Claim::OptedOut, 1, true);
            claims.record(
                Made {
                    claim: Claim::OptedIn,
                    sequence: 2,
                },
                false,
                lifts,
            );
            assert_eq!(outcome(Rules::Newest, &[claims], None), expected);
        }
    }

    #[test]
    fn nothing_claimed_is_nothing_known() {
        let withdrawn = [claims(Claim::NotSpecified, 1, false)];
        for rules in [Rules::Newest, Rules::Older] {
            assert_eq!(outcome(rules, &[], None), None);
            assert_eq!(outcome(rules, &withdrawn, None), None);
        }
    }
}
