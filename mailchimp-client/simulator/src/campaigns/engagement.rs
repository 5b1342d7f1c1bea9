//! What the recipients of a campaign did, made from the campaign's seed and the recipient's number whenever somebody
//! looks.

use crate::member::mix;
use crate::roster::below;

/// Shares and times that decide what recipients do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Engagement {
    pub(crate) seed: u64,
    pub(crate) recipients: u32,
    pub(crate) send_time: u32,
    /// Seconds after sending in which everything happened.
    pub(crate) span: u32,
    pub(crate) bounced_percent: u8,
    pub(crate) opened_percent: u8,
    pub(crate) clicked_percent: u8,
    pub(crate) unsubscribed_percent: u8,
    pub(crate) complained_percent: u8,
    pub(crate) links: u8,
}

/// One thing that a recipient did, or that happened to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) at: u32,
    pub(crate) action: Action,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Open {
        /// By a machine in front of the recipient.
        proxy: bool,
    },
    Click {
        /// Number of the URL.
        link: u8,
    },
    Bounce {
        hard: bool,
    },
}

/// How one recipient fared, without the events.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recipient {
    /// Whether the bounce, if there was one, was hard.
    pub(crate) bounced: Option<bool>,
    pub(crate) unsubscribed_at: Option<u32>,
    pub(crate) complained_at: Option<u32>,
    /// Scattered: decides the place and the time zone.
    pub(crate) drawn: u64,
    opens: u8,
    clicks: u8,
}

impl Engagement {
    pub(crate) fn recipient(&self, number: u32) -> Recipient {
        let drawn = mix(self.seed ^ u64::from(number));
        let chance = |shift: u32, percent: u8| {
            u8::try_from(((drawn >> shift & 0xfff) * 100) >> 12).unwrap_or(0) < percent
        };
        if chance(0, self.bounced_percent) {
            return Recipient {
                bounced: Some(drawn >> 60 & 1 == 0),
                unsubscribed_at: None,
                complained_at: None,
                drawn,
                opens: 0,
                clicks: 0,
            };
        }
        let some = |shift: u32| 1 + u8::try_from((drawn >> shift & 3) % 3).unwrap_or(0);
        let opens = if chance(12, self.opened_percent) {
            some(60)
        } else {
            0
        };
        let clicks = if opens > 0 && self.links > 0 && chance(24, self.clicked_percent) {
            some(62)
        } else {
            0
        };
        Recipient {
            bounced: None,
            unsubscribed_at: chance(36, self.unsubscribed_percent)
                .then(|| self.moment(drawn, 0, 100)),
            complained_at: chance(48, self.complained_percent).then(|| self.moment(drawn, 0, 101)),
            drawn,
            opens,
            clicks,
        }
    }

    /// The events of one recipient, oldest first.
    pub(crate) fn events(&self, number: u32, events: &mut Vec<Event>) {
        events.clear();
        let recipient = self.recipient(number);
        let drawn = recipient.drawn;
        if let Some(hard) = recipient.bounced {
            let at = self.send_time + self.span.min(below(drawn, 240));
            events.push(Event {
                at,
                action: Action::Bounce { hard },
            });
            return;
        }
        let mut at = 0;
        for open in 0..recipient.opens {
            // Image proxies look within seconds.
            let proxy = open == 0 && (drawn >> 40).is_multiple_of(4);
            at = if proxy {
                self.send_time + self.span.min(4)
            } else {
                self.moment(drawn, at, open)
            };
            events.push(Event {
                at,
                action: Action::Open { proxy },
            });
        }
        for click in 0..recipient.clicks {
            let link = below(mix(drawn ^ u64::from(click) << 56), self.links.into());
            let mut link = u8::try_from(link).unwrap_or(0);
            if click == 1 && (drawn >> 44).is_multiple_of(8) {
                // Two clicks on different links in one second.
                if let Some(&Event {
                    action: Action::Click { link: first },
                    ..
                }) = events.last()
                {
                    link = (first + 1) % self.links;
                }
            } else {
                at = self.moment(drawn, at, 10 + click);
            }
            events.push(Event {
                at,
                action: Action::Click { link },
            });
        }
    }

    /// A moment after `after`, early ones more often than late ones.
    fn moment(&self, drawn: u64, after: u32, purpose: u8) -> u32 {
        let after = after.max(self.send_time);
        let left = (self.send_time + self.span).saturating_sub(after);
        let part = mix(drawn ^ u64::from(purpose)) >> 32;
        after + below(part * part, left.saturating_add(1)).min(left)
    }
}
