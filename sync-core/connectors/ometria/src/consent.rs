//! The decision: what a listing may claim now. Pure; the rules and their reasons are in [`crate::docs::consent`].

use ometria_client::Consent;

use crate::delivery::Withheld;
use crate::note::Claim;
use crate::settings::{ArchivedPolicy, CleanedPolicy, ConsentSettings};
use crate::subscriber::Status;

/// Everything the decision rests on. Times are seconds since 1970.
#[derive(Clone, Debug)]
pub(crate) struct Situation<'a> {
    pub(crate) status: &'a Status,
    pub(crate) permission_granted: Option<bool>,
    pub(crate) opted_in_at: Option<i64>,
    /// What the listing claims at Ometria already.
    pub(crate) claim: Claim,
    /// Whether this audience has a say: false when the operator declared another one to hold consent.
    pub(crate) has_say: bool,
    /// Whether the member's own opt-out stands: seen, and not followed by a subscription. Its status may have moved on, as
    /// when an unsubscribed member is archived.
    pub(crate) opt_out_stands: bool,
    /// Whether some other audience that counts has the address unsubscribed.
    pub(crate) unsubscribed_elsewhere: bool,
    /// No opt-out that counts is newer; `None`: there never was one.
    pub(crate) newest_opt_out: Option<i64>,
}

/// What to send, and what the listing claims once that is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// `None`: no claim is sent and what Ometria has stays.
    pub(crate) consent: Option<Consent>,
    pub(crate) settled: Claim,
    /// Why a subscribed member is not opted in.
    pub(crate) withheld: Option<Withheld>,
    /// The opt-in follows our own forced opt-out.
    pub(crate) after_force: bool,
}

enum Wish {
    In,
    Out { forced: bool },
    Nothing,
}

pub(crate) fn decide(situation: &Situation<'_>, settings: &ConsentSettings) -> Verdict {
    let mut withheld = None;
    let wish = if situation.has_say {
        match situation.status {
            Status::Subscribed => {
                withheld = reason_to_withhold(situation);
                if withheld.is_none() {
                    Wish::In
                } else {
                    Wish::Nothing
                }
            }
            Status::Unsubscribed => Wish::Out {
                forced: settings.force_opt_out,
            },
            // An opt-out that Ometria may never have heard of, because the run that saw it was killed.
            _ if situation.opt_out_stands && !situation.claim.is_out() => Wish::Out {
                forced: settings.force_opt_out,
            },
            Status::Cleaned => match settings.cleaned {
                CleanedPolicy::OptOut => Wish::Out { forced: false },
                CleanedPolicy::Withdraw => Wish::Nothing,
            },
            Status::Archived => match settings.archived {
                ArchivedPolicy::OptOut => Wish::Out { forced: false },
                ArchivedPolicy::Withdraw => Wish::Nothing,
            },
            Status::Pending | Status::Transactional | Status::Other(_) => Wish::Nothing,
        }
    } else {
        Wish::Nothing
    };
    let claim = situation.claim;
    let (consent, settled) = match wish {
        Wish::In => (Some(Consent::OptIn), Claim::OptedIn),
        Wish::Out { forced: true } => (Some(Consent::ForcedOptOut), Claim::ForcedOut),
        // Whether an unforced update takes the force off the same listing is not documented: leave the stronger claim.
        Wish::Out { forced: false } if claim == Claim::ForcedOut => (None, claim),
        Wish::Out { forced: false } => (Some(Consent::OptOut), Claim::OptedOut),
        // Only our own opt-in is ever taken back. On any other listing "not specified" would erase an opt-out.
        Wish::Nothing if claim == Claim::OptedIn => {
            (Some(Consent::NotSpecified), Claim::NotSpecified)
        }
        Wish::Nothing => (None, claim),
    };
    let after_force = matches!(wish, Wish::In) && claim == Claim::ForcedOut;
    Verdict {
        consent,
        settled,
        withheld,
        after_force,
    }
}

fn reason_to_withhold(situation: &Situation<'_>) -> Option<Withheld> {
    if situation.permission_granted == Some(false) {
        return Some(Withheld::NoPermission);
    }
    if situation.claim == Claim::Unknown || situation.newest_opt_out == Some(i64::MAX) {
        return Some(Withheld::UnreadableState);
    }
    if situation.unsubscribed_elsewhere {
        return Some(Withheld::UnsubscribedElsewhere);
    }
    match (situation.newest_opt_out, situation.opted_in_at) {
        (None, _) => None,
        (Some(_), None) => Some(Withheld::NoOptInTime),
        // Equal times do not say which came first.
        (Some(out), Some(into)) => (into <= out).then_some(Withheld::NotNewerThanOptOut),
    }
}

/// What to claim about a listing whose member is gone, without knowing its address; `None`: there is nothing to say.
pub(crate) fn decide_gone(claim: Claim, has_say: bool) -> Option<Consent> {
    match (has_say, claim) {
        (_, Claim::OptedOut | Claim::ForcedOut) => None,
        (true, _) => Some(Consent::OptOut),
        (false, Claim::OptedIn) => Some(Consent::NotSpecified),
        (false, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn situation(status: &Status) -> Situation<'_> {
        Situation {
            status,
            permission_granted: None,
            opted_in_at: Some(100),
            claim: Claim::None,
            has_say: true,
            opt_out_stands: false,
            unsubscribed_elsewhere: false,
            newest_opt_out: None,
        }
    }

    fn sent(status: &str, claim: Claim, settings: &ConsentSettings) -> (Option<Consent>, Claim) {
        let status = Status::from(status);
        let verdict = decide(
            &Situation {
                claim,
                ..situation(&status)
            },
            settings,
        );
        (verdict.consent, verdict.settled)
    }

    #[test]
    fn every_status_after_every_claim() {
        use Claim::{ForcedOut, NotSpecified, OptedIn, OptedOut, Unknown};
        let standard = ConsentSettings::default();
        let none = Claim::None;
        let opt_in = (Some(Consent::OptIn), OptedIn);
        let forced = (Some(Consent::ForcedOptOut), ForcedOut);
        let out = (Some(Consent::OptOut), OptedOut);
        let withdraw = (Some(Consent::NotSpecified), NotSpecified);
        let silent = |claim| (None, claim);
        #[rustfmt::skip]
        let table = [
            ("subscribed", [opt_in, opt_in, opt_in, opt_in, opt_in, silent(Unknown)]),
            ("unsubscribed", [forced; 6]),
            ("cleaned", [out, out, out, silent(ForcedOut), out, out]),
            ("pending", [silent(none), withdraw, silent(OptedOut), silent(ForcedOut), silent(NotSpecified), silent(Unknown)]),
            ("transactional", [silent(none), withdraw, silent(OptedOut), silent(ForcedOut), silent(NotSpecified), silent(Unknown)]),
            ("archived", [silent(none), withdraw, silent(OptedOut), silent(ForcedOut), silent(NotSpecified), silent(Unknown)]),
            ("a-new-word", [silent(none), withdraw, silent(OptedOut), silent(ForcedOut), silent(NotSpecified), silent(Unknown)]),
        ];
        for (status, expected) in table {
            let claims = [none, OptedIn, OptedOut, ForcedOut, NotSpecified, Unknown];
            for (claim, expected) in claims.into_iter().zip(expected) {
                assert_eq!(
                    sent(status, claim, &standard),
                    expected,
                    "{status} after {claim:?}"
                );
            }
        }
    }

    #[test]
    fn an_opt_out_that_stands_is_delivered_even_when_the_status_moved_on() {
        for word in [
            "cleaned",
            "pending",
            "transactional",
            "archived",
            "a-new-word",
        ] {
            let status = Status::from(word);
            let base = Situation {
                opt_out_stands: true,
                ..situation(&status)
            };
            let consent = |claim| {
                decide(
                    &Situation {
                        claim,
                        ..base.clone()
                    },
                    &ConsentSettings::default(),
                )
                .consent
            };
            for claim in [
                Claim::None,
                Claim::OptedIn,
                Claim::NotSpecified,
                Claim::Unknown,
            ] {
                assert_eq!(
                    consent(claim),
                    Some(Consent::ForcedOptOut),
                    "{word} {claim:?}"
                );
            }
            assert_eq!(consent(Claim::ForcedOut), None, "{word}");
        }
    }

    #[test]
    fn settings_change_what_they_say() {
        let unforced = ConsentSettings {
            force_opt_out: false,
            ..Default::default()
        };
        assert_eq!(
            sent("unsubscribed", Claim::None, &unforced).0,
            Some(Consent::OptOut)
        );
        assert_eq!(
            sent("unsubscribed", Claim::ForcedOut, &unforced),
            (None, Claim::ForcedOut)
        );
        let quiet = ConsentSettings {
            cleaned: CleanedPolicy::Withdraw,
            ..Default::default()
        };
        assert_eq!(sent("cleaned", Claim::None, &quiet).0, None);
        assert_eq!(
            sent("cleaned", Claim::OptedIn, &quiet).0,
            Some(Consent::NotSpecified)
        );
        let strict = ConsentSettings {
            archived: ArchivedPolicy::OptOut,
            ..Default::default()
        };
        assert_eq!(
            sent("archived", Claim::None, &strict).0,
            Some(Consent::OptOut)
        );
    }

    #[test]
    fn an_opt_in_needs_every_condition() {
        let status = Status::Subscribed;
        let base = situation(&status);
        let verdict = |situation: Situation<'_>| decide(&situation, &ConsentSettings::default());
        let withheld = |situation: Situation<'_>| {
            let verdict = verdict(situation);
            assert_eq!(verdict.consent, None);
            verdict.withheld
        };
        let allowed = [
            base.clone(),
            Situation {
                permission_granted: Some(true),
                ..base.clone()
            },
            Situation {
                opted_in_at: None,
                ..base.clone()
            },
            Situation {
                newest_opt_out: Some(99),
                ..base.clone()
            },
        ];
        for situation in allowed {
            assert_eq!(verdict(situation).consent, Some(Consent::OptIn));
        }
        let refused = [
            (
                Situation {
                    permission_granted: Some(false),
                    ..base.clone()
                },
                Withheld::NoPermission,
            ),
            (
                Situation {
                    unsubscribed_elsewhere: true,
                    ..base.clone()
                },
                Withheld::UnsubscribedElsewhere,
            ),
            (
                Situation {
                    newest_opt_out: Some(100),
                    ..base.clone()
                },
                Withheld::NotNewerThanOptOut,
            ),
            (
                Situation {
                    newest_opt_out: Some(101),
                    ..base.clone()
                },
                Withheld::NotNewerThanOptOut,
            ),
            (
                Situation {
                    newest_opt_out: Some(1),
                    opted_in_at: None,
                    ..base.clone()
                },
                Withheld::NoOptInTime,
            ),
            (
                Situation {
                    newest_opt_out: Some(i64::MAX),
                    ..base.clone()
                },
                Withheld::UnreadableState,
            ),
            (
                Situation {
                    claim: Claim::Unknown,
                    ..base.clone()
                },
                Withheld::UnreadableState,
            ),
        ];
        for (situation, reason) in refused {
            assert_eq!(withheld(situation), Some(reason));
        }
    }

    #[test]
    fn an_audience_without_a_say_only_takes_back_what_it_claimed() {
        for word in [
            "subscribed",
            "unsubscribed",
            "cleaned",
            "pending",
            "archived",
            "x",
        ] {
            let status = Status::from(word);
            let base = Situation {
                has_say: false,
                ..situation(&status)
            };
            let consent = |claim| {
                decide(
                    &Situation {
                        claim,
                        ..base.clone()
                    },
                    &ConsentSettings::default(),
                )
                .consent
            };
            assert_eq!(consent(Claim::None), None, "{word}");
            assert_eq!(consent(Claim::ForcedOut), None, "{word}");
            assert_eq!(
                consent(Claim::OptedIn),
                Some(Consent::NotSpecified),
                "{word}"
            );
        }
    }

    #[test]
    fn coming_back_after_our_own_force_is_marked() {
        let status = Status::Subscribed;
        let after = |claim| {
            let situation = Situation {
                claim,
                newest_opt_out: Some(1),
                ..situation(&status)
            };
            decide(&situation, &ConsentSettings::default()).after_force
        };
        assert!(after(Claim::ForcedOut));
        assert!(!after(Claim::OptedOut) && !after(Claim::None) && !after(Claim::OptedIn));
    }

    #[test]
    fn gone_means_out_unless_it_is_out_already() {
        for claim in [
            Claim::None,
            Claim::OptedIn,
            Claim::NotSpecified,
            Claim::Unknown,
        ] {
            assert_eq!(decide_gone(claim, true), Some(Consent::OptOut), "{claim:?}");
        }
        for claim in [Claim::OptedOut, Claim::ForcedOut] {
            assert_eq!(decide_gone(claim, true), None);
        }
        assert_eq!(
            decide_gone(Claim::OptedIn, false),
            Some(Consent::NotSpecified)
        );
        assert_eq!(decide_gone(Claim::None, false), None);
    }
}
