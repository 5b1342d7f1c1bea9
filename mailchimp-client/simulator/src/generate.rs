//! Members made from a number.

use serde_json::{Value, json};

use crate::definitions::Definitions;
use crate::member::Body;
use crate::member::{Hash, Location, Member, Note, Profile, TagHeld, hash_of, mix};
use crate::spec::{AudienceSpec, MergeFieldKind, MergeFieldSpec, Spread, Status, StatusMix};
use crate::timestamp;

/// Makes the members of one audience. The same number always gives the same member.
#[derive(Debug)]
pub(crate) struct Generator {
    /// Decides who a person is: the same in every audience.
    person_seed: u64,
    /// Decides what a person is to this audience.
    seed: u64,
    statuses: StatusMix,
    merge_fields: Vec<(u32, MergeFieldSpec)>,
    /// Percentage of members who have each tag.
    tags: Vec<(u32, u8)>,
    /// Percentage of members who chose each interest.
    interests: Vec<(u32, u8)>,
    created: u32,
    /// Whether members have notes, events and goals.
    engaged: bool,
}

/// A reason per drawn property, so that draws do not depend on each other.
#[derive(Clone, Copy)]
enum Draw {
    Status = 1,
    Instant,
    Vip,
    Signup,
    TextOnly,
    Permission,
    Rating,
    FirstName,
    LastName,
    Language,
    Location,
    Note,
    MergeField = 1000,
    Tag = 100_000,
    Interest = 200_000,
}

const FIRST_NAMES: [&str; 16] = [
    "Ada", "Björn", "Chloé", "Dmitri", "Elena", "Fatima", "Grace", "Hiro", "Inès", "Jun", "Kwame",
    "Lucía", "Miriam", "Noor", "Otto", "Zoë",
];
const LAST_NAMES: [&str; 16] = [
    "Adeyemi",
    "Brown",
    "Castillo",
    "D'Angelo",
    "Eriksen",
    "Fischer",
    "García",
    "Haddad",
    "Ito",
    "Jones",
    "Kowalski",
    "Łukasik",
    "Müller",
    "Nguyen",
    "O'Neill",
    "Sørensen",
];
const STREETS: [&str; 4] = [
    "1 Peachtree Street",
    "22 Ponce de Leon Avenue",
    "303 Auburn Avenue",
    "4 Edgewood \"Loft\"",
];
const LANGUAGES: [&str; 5] = ["", "en", "en_GB", "fr", "de"];
const PLACES: [Location; 3] = [
    Location {
        latitude: 51.5064,
        longitude: -0.1272,
        country_code: "GB",
        timezone: "Europe/London",
        region: "ENG",
        gmtoff: 0,
    },
    Location {
        latitude: 33.7485,
        longitude: -84.3871,
        country_code: "US",
        timezone: "America/New_York",
        region: "GA",
        gmtoff: -5,
    },
    Location {
        latitude: 48.8582,
        longitude: 2.3387,
        country_code: "FR",
        timezone: "Europe/Paris",
        region: "IDF",
        gmtoff: 1,
    },
];

impl Generator {
    pub(crate) fn new(
        spec: &AudienceSpec,
        definitions: &Definitions,
        seed: u64,
        audience: u32,
        now: u32,
    ) -> Self {
        let fields = definitions.merge_fields.iter();
        let chosen = spec
            .groups
            .iter()
            .flat_map(|group| group.interests.iter().map(move |_| group.chosen_percent));
        Self {
            person_seed: mix(seed),
            seed: mix(seed ^ mix(audience.into())),
            statuses: spec.statuses,
            merge_fields: fields
                .map(|field| (field.merge_id, field.spec.clone()))
                .collect(),
            tags: spec
                .tags
                .iter()
                .filter_map(|tag| Some((definitions.tag(&tag.name)?, tag.percent)))
                .collect(),
            interests: definitions
                .interests()
                .map(|interest| interest.number)
                .zip(chosen)
                .collect(),
            created: now,
            engaged: spec.engaged,
        }
    }

    /// Member `number`, the `position`-th of `count` in a spread.
    pub(crate) fn member(&self, number: u32, position: u32, count: u32, spread: Spread) -> Member {
        let last_changed = self.instant(number, position, count, spread);
        let status = self.status(number);
        Member {
            hash: address_hash(number),
            last_changed,
            timestamp_opt: if status == Status::Pending {
                0
            } else {
                last_changed
            },
            unsubscribed_at: if status == Status::Unsubscribed {
                last_changed
            } else {
                0
            },
            status,
            body: Body::Generated(number),
        }
    }

    /// Fills a profile with member `number`, reusing its memory.
    pub(crate) fn fill(&self, number: u32, status: Status, profile: &mut Profile) {
        profile.email.clear();
        write_address(&mut profile.email, number);
        profile.text_only = self.percent(number, Draw::TextOnly, 0) < 3;
        profile
            .merge
            .resize_with(self.merge_fields.len(), Default::default);
        for ((merge_id, field), held) in self.merge_fields.iter().zip(&mut profile.merge) {
            held.0 = *merge_id;
            self.merge_value(number, *merge_id, field, &mut held.1);
        }
        profile.interests.clear();
        profile.interests.extend(
            self.interests
                .iter()
                .map(|&(interest, _)| interest)
                .filter(|&interest| self.has_interest(number, interest)),
        );
        profile.tags.clear();
        profile.tags.extend(
            self.tags
                .iter()
                .filter(|(tag, share)| self.percent(number, Draw::Tag, *tag) < *share)
                .map(|&(segment, _)| TagHeld {
                    segment,
                    added: self.created,
                }),
        );
        profile.language.clear();
        profile
            .language
            .push_str(self.pick(number, Draw::Language, &LANGUAGES));
        profile.vip = self.percent(number, Draw::Vip, 0) < 2;
        let by_form = self.percent(number, Draw::Signup, 0) < 25;
        profile.ip_signup.clear();
        profile.ip_opt.clear();
        profile.timestamp_signup = 0;
        profile.source = "Import";
        if by_form {
            profile.ip_signup.push_str("198.51.100.7");
            profile.ip_opt.push_str("198.51.100.7");
            profile.timestamp_signup = self.created.saturating_sub(number % 10_000_000);
            profile.source = "Hosted Signup Form";
        }
        profile.rating = 2 + self.percent(number, Draw::Rating, 0) % 4;
        profile.unsubscribe_reason.clear();
        if status == Status::Unsubscribed {
            profile
                .unsubscribe_reason
                .push_str("N/A (Unsubscribed by admin)");
        }
        let place = self.percent(number, Draw::Location, 0);
        profile.location = PLACES.get(usize::from(place / 20)).copied();
        profile.marketing_permission = self.percent(number, Draw::Permission, 0) < 50;
        profile.notes.clear();
        if self.engaged && self.percent(number, Draw::Note, 0) < 30 {
            profile.notes.push(Note {
                id: number.saturating_mul(100) + 50,
                created_at: self.created,
                text: "Likes \"tea\",\nnot cake 🍰".to_owned(),
            });
        }
    }

    pub(crate) fn is_engaged(&self) -> bool {
        self.engaged
    }

    /// Whether member `number` has a tag.
    pub(crate) fn has_tag(&self, number: u32, tag: u32) -> bool {
        let mut tags = self.tags.iter();
        tags.any(|&(held, share)| held == tag && self.percent(number, Draw::Tag, tag) < share)
    }

    /// Whether member `number` chose an interest.
    pub(crate) fn has_interest(&self, number: u32, interest: u32) -> bool {
        let mut interests = self.interests.iter();
        interests.any(|&(held, share)| {
            held == interest && self.percent(number, Draw::Interest, interest) < share
        })
    }

    fn instant(&self, number: u32, position: u32, count: u32, spread: Spread) -> u32 {
        let within = |from, to, part: u64, parts: u64| {
            let from = timestamp::seconds(from);
            let span = u64::from(timestamp::seconds(to).saturating_sub(from));
            from + u32::try_from(span * part / parts.max(1)).unwrap_or(0)
        };
        match spread {
            Spread::Even { from, to } => within(from, to, position.into(), count.into()),
            Spread::Scattered { from, to } => {
                within(from, to, self.draw(number, Draw::Instant, 0) >> 32, 1 << 32)
            }
            Spread::Bursts {
                count: bursts,
                from,
                to,
            } => {
                let bursts = u64::from(bursts.max(1));
                let burst = u64::from(position) * bursts / u64::from(count.max(1));
                within(from, to, burst, bursts)
            }
            Spread::OneSecond(at) => timestamp::seconds(at),
        }
    }

    fn status(&self, number: u32) -> Status {
        let weights = self.statuses.weights();
        let total: u64 = weights.iter().map(|&weight| u64::from(weight)).sum();
        let mut drawn = self.draw(number, Draw::Status, 0) % total.max(1);
        for (status, weight) in Status::ALL.into_iter().zip(weights) {
            let weight = u64::from(weight);
            if drawn < weight {
                return status;
            }
            drawn -= weight;
        }
        Status::Subscribed
    }

    fn merge_value(&self, number: u32, merge_id: u32, field: &MergeFieldSpec, value: &mut Value) {
        if self.percent(number, Draw::MergeField, merge_id) >= field.filled_percent {
            set_text(value, "");
            return;
        }
        let drawn = self.draw(number, Draw::MergeField, merge_id) >> 8;
        match field.kind {
            MergeFieldKind::Text => match field.tag.as_str() {
                "FNAME" => set_text(value, self.pick(number, Draw::FirstName, &FIRST_NAMES)),
                "LNAME" => set_text(value, self.pick(number, Draw::LastName, &LAST_NAMES)),
                _ => set_text(value, LAST_NAMES[(drawn % 16) as usize]),
            },
            MergeFieldKind::Number => {
                let whole = drawn % 1000;
                *value = if drawn & 1 == 0 {
                    whole.into()
                } else {
                    (whole as f64 + 0.3).into()
                };
            }
            MergeFieldKind::Address => {
                if !value.is_object() {
                    *value = json!({
                        "addr1": "",
                        "addr2": "",
                        "city": "Atlanta",
                        "state": "GA",
                        "zip": "30308",
                        "country": "US",
                    });
                }
                with_text(&mut value["addr1"], |out| {
                    out.push_str(STREETS[(drawn % 4) as usize]);
                });
            }
            MergeFieldKind::Phone => set_text(value, "+44 20 7946 0000"),
            MergeFieldKind::Date => with_text(value, |out| {
                timestamp::write_date(out, 18_000 + u32::try_from(drawn % 2500).unwrap_or(0));
            }),
            MergeFieldKind::Url => set_text(value, "https://shop.test/"),
            MergeFieldKind::ImageUrl => set_text(value, "https://shop.test/face.png"),
            MergeFieldKind::Radio | MergeFieldKind::Dropdown => {
                let choices = u64::max(field.choices.len() as u64, 1);
                let choice = usize::try_from(drawn % choices).unwrap_or(0);
                set_text(value, field.choices.get(choice).map_or("", String::as_str));
            }
            MergeFieldKind::Birthday => with_text(value, |out| {
                for (number, separator) in [(drawn % 12 + 1, "/"), (drawn / 12 % 28 + 1, "")] {
                    if number < 10 {
                        out.push('0');
                    }
                    out.push_str(&number.to_string());
                    out.push_str(separator);
                }
            }),
            MergeFieldKind::Zip => set_text(value, "30308"),
        }
    }

    fn draw(&self, number: u32, draw: Draw, of: u32) -> u64 {
        let kind = draw as u64 + u64::from(of);
        let personal = matches!(
            draw,
            Draw::FirstName | Draw::LastName | Draw::Language | Draw::Location | Draw::MergeField
        );
        let seed = if personal {
            self.person_seed
        } else {
            self.seed
        };
        mix(seed ^ (kind << 32) ^ u64::from(number))
    }

    fn percent(&self, number: u32, draw: Draw, of: u32) -> u8 {
        u8::try_from((self.draw(number, draw, of) & 0xff_ffff) % 100).unwrap_or(0)
    }

    fn pick<'a>(&self, number: u32, draw: Draw, from: &[&'a str]) -> &'a str {
        let at = self.draw(number, draw, 0) % from.len() as u64;
        usize::try_from(at)
            .ok()
            .and_then(|at| from.get(at))
            .copied()
            .unwrap_or("")
    }
}

fn set_text(value: &mut Value, text: &str) {
    with_text(value, |out| out.push_str(text));
}

/// Turns a value into text without giving up the memory of the text it held.
fn with_text(value: &mut Value, write: impl FnOnce(&mut String)) {
    if let Value::String(held) = value {
        held.clear();
        write(held);
    } else {
        let mut text = String::new();
        write(&mut text);
        *value = Value::String(text);
    }
}

/// The address of member `number`, in every audience.
pub(crate) fn write_address(out: &mut String, number: u32) {
    let mut digits = [0_u8; 7];
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    out.push_str("reader");
    if rest > 0 {
        out.push_str(&rest.to_string());
    }
    for digit in digits {
        out.push(char::from(digit));
    }
    out.push_str("@mail.test");
}

/// The number of the member that [`write_address`] gives this address.
pub(crate) fn number_of(address: &str) -> Option<u32> {
    let digits = address.strip_prefix("reader")?.strip_suffix("@mail.test")?;
    digits.parse().ok()
}

/// The id of member `number`.
pub(crate) fn address_hash(number: u32) -> Hash {
    let mut address = String::with_capacity(24);
    write_address(&mut address, number);
    hash_of(&address)
}
