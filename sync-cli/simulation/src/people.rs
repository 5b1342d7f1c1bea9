//! The people in the audiences: what they do, and a record of it that owes nothing to the programs under test.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use fastrand::Rng;
use mailchimp_simulator::{AudienceHandle, Refused, Status};
use serde_json::Value;

/// A member as it truly is.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) contact: String,
    pub(crate) address: String,
    pub(crate) status: Status,
    /// First name, if there is one.
    pub(crate) name: Option<String>,
    pub(crate) last_name: Option<String>,
    /// When it last changed in any way.
    pub(crate) touched: DateTime<Utc>,
    /// When it last became subscribed.
    pub(crate) opted_in: Option<DateTime<Utc>>,
    /// When it last changed while, or into being, unsubscribed.
    pub(crate) touched_while_out: Option<DateTime<Utc>>,
}

/// Somebody opted out, in one audience.
#[derive(Clone, Debug)]
pub(crate) struct OptOut {
    pub(crate) address: String,
    pub(crate) audience: usize,
    pub(crate) contact: String,
    pub(crate) at: DateTime<Utc>,
    /// When the audience stopped showing it: a new status, another address, a deletion.
    pub(crate) hidden: Option<DateTime<Utc>>,
    /// When the row changed last while showing it.
    pub(crate) changed: DateTime<Utc>,
    /// The time of that change as the row has it.
    pub(crate) stamped: DateTime<Utc>,
}

/// Somebody opted in, in any audience.
#[derive(Clone, Debug)]
pub(crate) struct OptIn {
    pub(crate) address: String,
    pub(crate) at: DateTime<Utc>,
}

/// Members of all audiences and their decisions.
#[derive(Debug)]
pub(crate) struct People {
    rng: Rng,
    left: u32,
    /// How far in the future some changes are stamped.
    ahead: Duration,
    /// The latest stamp of a change.
    pub(crate) latest: DateTime<Utc>,
    handles: Vec<AudienceHandle>,
    pub(crate) audiences: Vec<HashMap<String, Person>>,
    /// Contact ids in the order they came, so that a draw does not depend on a map's order.
    order: Vec<Vec<String>>,
    pub(crate) outs: Vec<OptOut>,
    pub(crate) ins: Vec<OptIn>,
    /// Addresses that members with an opt-out in their past took on, and who took them. What is remembered of a member
    /// may follow it to its next address.
    pub(crate) haunted: Vec<(String, String)>,
    counter: u32,
}

/// New sign-ups come from so many people, so that they meet each other in several audiences.
const CROWD: u32 = 60;

impl People {
    pub(crate) fn new(
        rng: Rng,
        changes: u32,
        ahead: Duration,
        handles: Vec<AudienceHandle>,
    ) -> Self {
        let mut people = Self {
            rng,
            left: changes,
            ahead,
            latest: DateTime::UNIX_EPOCH,
            audiences: vec![HashMap::new(); handles.len()],
            order: vec![Vec::new(); handles.len()],
            handles,
            outs: Vec::new(),
            ins: Vec::new(),
            haunted: Vec::new(),
            counter: 0,
        };
        for audience in 0..people.handles.len() {
            people.learn(audience, None);
        }
        people
    }

    /// Nothing changes any more.
    pub(crate) fn freeze(&mut self) {
        self.left = 0;
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.left > 0 && self.rng.f64() < probability
    }

    /// Something happens; `None` when nothing is left to happen. Says what.
    pub(crate) fn act(&mut self, now: DateTime<Utc>) -> Option<String> {
        self.left = self.left.checked_sub(1)?;
        self.counter += 1;
        let audience = self.rng.usize(..self.handles.len());
        let handle = self.handles[audience].clone();
        let drawn = self.rng.u8(..100);
        if drawn < 14 {
            return Some(self.sign_up(audience, &handle, now));
        }
        if drawn < 17 {
            let (first, count) = (self.rng.u32(..900), self.rng.u32(1..60));
            let came = handle.bulk_import(first, count, now.trunc_subsecs(0));
            self.learn(audience, Some(now));
            return Some(format!(
                "audience {audience}: {came:?} imported in one second"
            ));
        }
        let Some(before) = self.somebody(audience) else {
            return Some("nobody there".to_owned());
        };
        let contact = before.contact.clone();
        let mut after = before.clone();
        let mut stamp = now;
        let done = match drawn {
            17..30 => self.set_status(&handle, &mut after, Status::Unsubscribed),
            30..42 => self.set_status(&handle, &mut after, Status::Subscribed),
            42..47 => self.set_status(&handle, &mut after, Status::Cleaned),
            47..50 => self.set_status(&handle, &mut after, Status::Pending),
            50..53 => self.set_status(&handle, &mut after, Status::Transactional),
            53..62 => self.set_status(&handle, &mut after, Status::Archived),
            62..68 => {
                let gone = handle.delete_permanently(&contact);
                if gone.is_ok() {
                    self.leave(audience, &before, now);
                }
                return Some(format!("audience {audience}: {contact} deleted, {gone:?}"));
            }
            68..78 => self.move_address(audience, &handle, &mut after),
            78..90 => {
                let name = format!("Name{}", self.counter);
                after.name = Some(name.clone());
                stamp = self.stamp(now);
                let handle = handle.at(stamp);
                handle.set_merge_field(&contact, "FNAME", name)
            }
            90..95 => handle.add_tag(&contact, &format!("tag {}", self.counter % 7)),
            _ => handle.set_vip(&contact, self.rng.bool()),
        };
        if done.is_ok() {
            self.changed(audience, &before, after.clone(), now, stamp);
        }
        Some(format!(
            "audience {audience}: {contact} {} -> {}{}, {done:?}",
            before.status.as_str(),
            after.status.as_str(),
            if before.address == after.address {
                ""
            } else {
                ", another address"
            },
        ))
    }

    /// When a change is said to be made: now, or later.
    fn stamp(&mut self, now: DateTime<Utc>) -> DateTime<Utc> {
        if self.ahead.is_zero() || self.rng.bool() {
            return now;
        }
        let stamp = now + self.ahead.mul_f64(self.rng.f64());
        self.latest = self.latest.max(stamp);
        stamp
    }

    fn set_status(
        &mut self,
        handle: &AudienceHandle,
        person: &mut Person,
        status: Status,
    ) -> Result<(), Refused> {
        person.status = status;
        match status {
            Status::Subscribed if self.rng.bool() => handle.subscribe(&person.address).map(drop),
            Status::Unsubscribed if self.rng.bool() => handle.unsubscribe(&person.contact),
            _ => handle.set_status(&person.contact, status),
        }
    }

    /// A new address, or one of somebody in another audience.
    fn move_address(
        &mut self,
        audience: usize,
        handle: &AudienceHandle,
        person: &mut Person,
    ) -> Result<(), Refused> {
        let other = self.rng.usize(..self.handles.len());
        let taken = self
            .somebody(other)
            .filter(|_| other != audience && self.rng.bool());
        let address = match taken {
            Some(other) => other.address,
            None if self.rng.bool() => crowd_address(self.rng.u32(..CROWD)),
            None => format!("moved{}@mail.test", self.counter),
        };
        handle.change_address(&person.contact, &address)?;
        person.address = address;
        Ok(())
    }

    fn sign_up(&mut self, audience: usize, handle: &AudienceHandle, now: DateTime<Utc>) -> String {
        let elsewhere = self.rng.usize(..self.handles.len());
        let address = match self.somebody(elsewhere).filter(|_| self.rng.bool()) {
            Some(person) => person.address,
            None => crowd_address(self.rng.u32(..CROWD)),
        };
        let known = self.audiences[audience]
            .values()
            .find(|person| person.address.eq_ignore_ascii_case(&address))
            .cloned();
        let done = handle.subscribe(&address);
        match known {
            Some(before) if done.is_ok() => {
                let after = Person {
                    status: Status::Subscribed,
                    ..before.clone()
                };
                let contact = before.contact.clone();
                self.changed(audience, &before, after, now, now);
                format!("audience {audience}: {contact} signs up again")
            }
            _ => {
                let came = self.learn(audience, Some(now));
                format!("audience {audience}: {came:?} signs up, {:?}", done.err())
            }
        }
    }

    fn somebody(&mut self, audience: usize) -> Option<Person> {
        let contact = self.rng.choice(&self.order[audience])?;
        self.audiences[audience].get(contact).cloned()
    }

    /// Notes what a change of one member means, with the time that the row has for it.
    fn changed(
        &mut self,
        audience: usize,
        before: &Person,
        mut after: Person,
        now: DateTime<Utc>,
        stamp: DateTime<Utc>,
    ) {
        let is_out = |person: &Person| person.status == Status::Unsubscribed;
        let moved = !before.address.eq_ignore_ascii_case(&after.address);
        // A tag that was there already changes nothing, and an earlier stamp in the future stays then. Counting it as a change,
        // by the later of the two, only asks less of the importer.
        let touched = stamp.max(before.touched);
        after.touched = touched;
        if is_out(before) && is_out(&after) && !moved {
            for out in self.showing(audience, &after.contact) {
                out.changed = now;
                out.stamped = touched;
            }
        } else {
            for out in self.showing(audience, &after.contact) {
                out.hidden = Some(now);
            }
            if is_out(&after) {
                self.opt_out(audience, &after, now, now);
            }
        }
        if is_out(&after) {
            after.touched_while_out = Some(touched);
        }
        if moved && after.touched_while_out.is_some() {
            self.haunted
                .push((after.address.to_lowercase(), after.contact.clone()));
        }
        if after.status == Status::Subscribed {
            if before.status != Status::Subscribed {
                after.opted_in = Some(now);
            }
            if let Some(at) = after.opted_in {
                self.ins.push(OptIn {
                    address: after.address.to_lowercase(),
                    at,
                });
            }
        }
        self.audiences[audience].insert(after.contact.clone(), after);
    }

    fn opt_out(
        &mut self,
        audience: usize,
        person: &Person,
        at: DateTime<Utc>,
        stamped: DateTime<Utc>,
    ) {
        self.outs.push(OptOut {
            address: person.address.to_lowercase(),
            audience,
            contact: person.contact.clone(),
            at,
            hidden: None,
            changed: at,
            stamped,
        });
    }

    /// The opt-out that a member shows now.
    fn showing(&mut self, audience: usize, contact: &str) -> impl Iterator<Item = &mut OptOut> {
        self.outs.iter_mut().filter(move |out| {
            out.audience == audience && out.contact == contact && out.hidden.is_none()
        })
    }

    fn leave(&mut self, audience: usize, person: &Person, now: DateTime<Utc>) {
        for out in self.showing(audience, &person.contact) {
            out.hidden = Some(now);
        }
        self.audiences[audience].remove(&person.contact);
        self.order[audience].retain(|contact| *contact != person.contact);
    }

    /// Takes up members that came now, or had been there before the beginning, in some other way than by a change of a known
    /// one, and gives their ids.
    fn learn(&mut self, audience: usize, now: Option<DateTime<Utc>>) -> Vec<String> {
        let handle = self.handles[audience].clone();
        let mut came = Vec::new();
        for member in handle.members() {
            if self.audiences[audience].contains_key(&member.contact_id) {
                continue;
            }
            let Some(row) = handle.member(&member.contact_id) else {
                continue;
            };
            let field = |name| {
                let value = row["merge_fields"][name].as_str();
                value.filter(|text| !text.is_empty()).map(str::to_owned)
            };
            let opted_in = time(&row["timestamp_opt"]);
            let is_out = member.status == Status::Unsubscribed;
            let person = Person {
                contact: member.contact_id.clone(),
                address: member.email_address,
                status: member.status,
                name: field("FNAME"),
                last_name: field("LNAME"),
                touched: member.last_changed,
                opted_in,
                touched_while_out: is_out.then_some(member.last_changed),
            };
            if is_out {
                let stamped = member.last_changed;
                self.opt_out(audience, &person, now.unwrap_or(stamped), stamped);
            }
            if member.status == Status::Subscribed
                && let Some(at) = opted_in
            {
                self.ins.push(OptIn {
                    address: person.address.to_lowercase(),
                    at,
                });
            }
            self.order[audience].push(member.contact_id.clone());
            self.audiences[audience].insert(member.contact_id.clone(), person);
            came.push(member.contact_id);
        }
        came
    }
}

fn crowd_address(number: u32) -> String {
    format!("crowd{number}@mail.test")
}

fn time(value: &Value) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(value.as_str()?)
        .ok()
        .map(|time| time.to_utc())
}
