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
    /// The same, of the opt-outs of this audience alone.
    pub(crate) own_opt_out: Option<i64>,
    /// Whether one of them was seen after `claim` was noted.
    pub(crate) opt_out_unnoted: bool,
    /// Whether a run that was cut short may have pushed claims that `claim` knows nothing of.
    pub(crate) in_doubt: bool,
}

impl Situation<'_> {
    /// What the listing has to be taken to claim before this push.
    ///
    /// In doubt that is the worst that the lost pushes can have left there. They cannot hide an opt-out of the person: it
    /// was written down before anything was pushed. Where nothing newer than such an opt-out is known, or only a lost push
    /// may have told it, the listing claims it. The same goes for an opt-out that is noted: whether a lost opt-in followed it
    /// is not known. Any other listing may be opted in.
    fn presumed_claim(&self, settings: &ConsentSettings) -> Claim {
        match (self.claim, self.own_opt_out) {
            (claim, _) if !self.in_doubt => claim,
            (Claim::Unknown | Claim::ForcedOut, _) => self.claim,
            // An entry that cannot be read says nothing about what was pushed.
            (claim, Some(i64::MAX)) => claim,
            (_, Some(out))
                if self.has_say
                    && (self.opt_out_unnoted
                        || self.opted_in_at.is_none_or(|into| into <= out)) =>
            {
                if settings.force_opt_out {
                    Claim::ForcedOut
                } else {
                    Claim::OptedOut
                }
            }
            (Claim::OptedOut, _) => Claim::OptedOut,
            (Claim::None | Claim::NotSpecified | Claim::OptedIn, _) => Claim::OptedIn,
        }
    }
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
            _ if situation.opt_out_stands && (situation.in_doubt || !situation.claim.is_out()) => {
                Wish::Out {
                    forced: settings.force_opt_out,
                }
            }
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
    let claim = situation.presumed_claim(settings);
    let (mut consent, settled) = match wish {
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
    if situation.in_doubt && consent.is_none() {
        consent = restated(settled);
    }
    let after_force = matches!(wish, Wish::In)
        && (claim == Claim::ForcedOut
            || situation.in_doubt && settings.force_opt_out && situation.own_opt_out.is_some());
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

/// An opt-out once more; `None` for any other claim.
fn restated(claim: Claim) -> Option<Consent> {
    match claim {
        Claim::OptedOut => Some(Consent::OptOut),
        Claim::ForcedOut => Some(Consent::ForcedOptOut),
        Claim::None | Claim::OptedIn | Claim::NotSpecified | Claim::Unknown => None,
    }
}

/// What to claim about a listing whose member is gone, without knowing its address; `None`: there is nothing to say.
///
/// An opt-out is said once more, in doubt or not: what is gone is searched for after the run that ends the doubt, and what
/// a lost push left on the listing would stay for good.
pub(crate) fn decide_gone(claim: Claim, has_say: bool) -> Option<Consent> {
    restated(claim).or(match (has_say, claim) {
        (true, _) => Some(Consent::OptOut),
        (false, Claim::OptedIn) => Some(Consent::NotSpecified),
        (false, _) => None,
    })
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
            own_opt_out: None,
            opt_out_unnoted: false,
            in_doubt: false,
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
    fn gone_means_out_with_the_force_it_had() {
        for claim in [
            Claim::None,
            Claim::OptedIn,
            Claim::NotSpecified,
            Claim::Unknown,
            Claim::OptedOut,
        ] {
            assert_eq!(decide_gone(claim, true), Some(Consent::OptOut), "{claim:?}");
        }
        for has_say in [true, false] {
            assert_eq!(
                decide_gone(Claim::ForcedOut, has_say),
                Some(Consent::ForcedOptOut)
            );
        }
        assert_eq!(decide_gone(Claim::OptedOut, false), Some(Consent::OptOut));
        assert_eq!(
            decide_gone(Claim::OptedIn, false),
            Some(Consent::NotSpecified)
        );
        assert_eq!(decide_gone(Claim::None, false), None);
    }

    const IN_DOUBT: [(Claim, Option<Consent>); 6] = [
        (Claim::None, Some(Consent::NotSpecified)),
        (Claim::OptedIn, Some(Consent::NotSpecified)),
        (Claim::NotSpecified, Some(Consent::NotSpecified)),
        (Claim::OptedOut, Some(Consent::OptOut)),
        (Claim::ForcedOut, Some(Consent::ForcedOptOut)),
        (Claim::Unknown, None),
    ];

    #[test]
    fn in_doubt_every_claim_is_said_again_or_taken_back() {
        for word in ["pending", "transactional", "archived", "a-new-word"] {
            let status = Status::from(word);
            for (claim, expected) in IN_DOUBT {
                let doubtful = Situation {
                    claim,
                    in_doubt: true,
                    ..situation(&status)
                };
                let verdict = decide(&doubtful, &ConsentSettings::default());
                assert_eq!(verdict.consent, expected, "{word} after {claim:?}");
                // Said once, it is known: the next time there is nothing to say.
                let known = Situation {
                    claim: verdict.settled,
                    ..situation(&status)
                };
                let again = decide(&known, &ConsentSettings::default());
                assert_eq!((again.consent, again.settled), (None, verdict.settled));
            }
        }
        let status = Status::Cleaned;
        let bounced = Situation {
            claim: Claim::ForcedOut,
            in_doubt: true,
            ..situation(&status)
        };
        let verdict = decide(&bounced, &ConsentSettings::default());
        assert_eq!(verdict.consent, Some(Consent::ForcedOptOut));
    }

    #[test]
    fn in_doubt_an_opt_out_that_nothing_ended_is_said_again() {
        let status = Status::Subscribed;
        let held_back = |claim, out: i64| {
            let situation = Situation {
                claim,
                in_doubt: true,
                newest_opt_out: Some(out),
                own_opt_out: Some(out),
                // For a reason of its own, so that an opt-in that is newer is held back too.
                permission_granted: Some(false),
                ..situation(&status)
            };
            decide(&situation, &ConsentSettings::default()).consent
        };
        // The opt-in was at 100.
        for claim in [
            Claim::None,
            Claim::OptedIn,
            Claim::NotSpecified,
            Claim::OptedOut,
        ] {
            for out in [100, 101] {
                assert_eq!(held_back(claim, out), Some(Consent::ForcedOptOut));
            }
        }
        assert_eq!(held_back(Claim::OptedIn, 99), Some(Consent::NotSpecified));
        let unnoted = Situation {
            claim: Claim::OptedIn,
            in_doubt: true,
            own_opt_out: Some(99),
            opt_out_unnoted: true,
            unsubscribed_elsewhere: true,
            ..situation(&status)
        };
        let verdict = decide(&unnoted, &ConsentSettings::default());
        assert_eq!(verdict.consent, Some(Consent::ForcedOptOut));
        // What cannot be read is no reason to claim anything.
        assert_eq!(held_back(Claim::None, i64::MAX), None);
        assert_eq!(
            held_back(Claim::OptedIn, i64::MAX),
            Some(Consent::NotSpecified)
        );

        let status = Status::Archived;
        for (claim, _) in IN_DOUBT {
            let standing = Situation {
                claim,
                in_doubt: true,
                opt_out_stands: true,
                ..situation(&status)
            };
            let verdict = decide(&standing, &ConsentSettings::default());
            assert_eq!(verdict.consent, Some(Consent::ForcedOptOut), "{claim:?}");
        }
    }

    #[test]
    fn in_doubt_an_audience_without_a_say_makes_no_opt_out_of_its_own() {
        let status = Status::Unsubscribed;
        for (claim, expected) in IN_DOUBT {
            let silent = Situation {
                claim,
                has_say: false,
                in_doubt: true,
                opt_out_stands: true,
                own_opt_out: Some(200),
                ..situation(&status)
            };
            let verdict = decide(&silent, &ConsentSettings::default());
            assert_eq!(verdict.consent, expected, "{claim:?}");
        }
    }

    #[test]
    fn in_doubt_coming_back_may_follow_a_force_that_is_not_noted() {
        let status = Status::Subscribed;
        let after = |own_opt_out| {
            let situation = Situation {
                claim: Claim::OptedIn,
                in_doubt: true,
                newest_opt_out: own_opt_out,
                own_opt_out,
                ..situation(&status)
            };
            let verdict = decide(&situation, &ConsentSettings::default());
            assert_eq!(verdict.consent, Some(Consent::OptIn));
            verdict.after_force
        };
        assert!(after(Some(99)) && !after(None));
    }
}
