//! A member list that behaves like the API, its changes, and a run of the plan over it.

use std::collections::HashMap;

use fastrand::Rng;

use crate::cursor::{From, Progress};
use crate::plan::{Defect, Event, Failure, Plan, Request, Row, Sweep};
use crate::settings::StatusFilter;

#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) id: u64,
    pub(super) at: i64,
    pub(super) archived: bool,
    pub(super) version: u32,
}

/// How the server is allowed to differ from the documentation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quirks {
    pub(super) since_includes: bool,
    pub(super) before_includes: bool,
    pub(super) clamp: usize,
    pub(super) totals: Totals,
    /// Members of one second come in another order with each answer.
    pub(super) shuffles: bool,
    /// The last member moves to the front of the list once, without having changed.
    pub(super) jumps: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Totals {
    Right,
    Missing,
    /// Wrong by so many, in one of so many answers.
    Wrong(i64, usize),
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            since_includes: false,
            before_includes: true,
            clamp: usize::MAX,
            totals: Totals::Right,
            shuffles: false,
            jumps: false,
        }
    }
}

pub(super) struct Server {
    /// In listing order.
    pub(super) members: Vec<Member>,
    pub(super) now: i64,
    pub(super) quirks: Quirks,
    next_id: u64,
}

pub(super) struct Page {
    pub(super) rows: Vec<Row>,
    pub(super) versions: Vec<u32>,
    pub(super) total: Option<u64>,
}

impl Server {
    /// Members with these times, each in one listing.
    pub(super) fn new(now: i64, times: impl IntoIterator<Item = i64>) -> Self {
        let mut server = Self {
            members: Vec::new(),
            now,
            quirks: Quirks::default(),
            next_id: 0,
        };
        for at in times {
            server.add(at);
        }
        server.sort();
        server
    }

    pub(super) fn add(&mut self, at: i64) {
        // Ids without relation to the order.
        let id = self
            .next_id
            .wrapping_add(1)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.next_id += 1;
        self.members.push(Member {
            id,
            at,
            archived: false,
            version: 0,
        });
    }

    pub(super) fn sort(&mut self) {
        self.members.sort_by_key(|member| member.at);
    }

    pub(super) fn answer(&self, request: &Request, rng: &mut Rng) -> Page {
        let after = |member: &Member| match request.since {
            None => true,
            Some(since) if self.quirks.since_includes => member.at >= since,
            Some(since) => member.at > since,
        };
        let until = request.before + i64::from(self.quirks.before_includes);
        let start = self.members.partition_point(|member| !after(member));
        let end = self
            .members
            .partition_point(|member| member.at < until)
            .max(start);
        let listed = |member: &&Member| member.archived == (request.sweep == Sweep::Archived);
        let mut hits: Vec<&Member> = self.members[start..end].iter().filter(listed).collect();
        if self.quirks.shuffles {
            rng.shuffle(&mut hits);
            hits.sort_by_key(|member| member.at);
        }
        let total = i64::try_from(hits.len()).expect("small");
        let total = match self.quirks.totals {
            Totals::Missing => None,
            Totals::Wrong(by, often) if rng.usize(..often) == 0 => Some(total + by),
            _ => Some(total),
        };
        let count = (request.count as usize).min(self.quirks.clamp);
        let offset = usize::try_from(request.offset).expect("small");
        let page: Vec<&Member> = hits.into_iter().skip(offset).take(count).collect();
        Page {
            rows: page
                .iter()
                .map(|member| Row {
                    id: member.id,
                    at: member.at,
                })
                .collect(),
            versions: page.iter().map(|member| member.version).collect(),
            total: total.map(|total| total.max(0).unsigned_abs()),
        }
    }

    /// One change, as they happen while a run reads.
    pub(super) fn change(&mut self, rng: &mut Rng) {
        self.now += i64::from(rng.u8(..3) == 0);
        let now = self.now;
        match rng.u8(..20) {
            // An import of new members, all in one second.
            0 => (0..rng.usize(1..60)).for_each(|_| self.add(now)),
            // A bulk action on existing ones.
            1 => {
                let share = rng.usize(2..30);
                for member in &mut self.members {
                    if rng.usize(..share) == 0 {
                        (member.at, member.version) = (now, member.version + 1);
                    }
                }
            }
            _ if self.members.is_empty() => self.add(now),
            2..5 => {
                self.members.remove(rng.usize(..self.members.len()));
            }
            kind => {
                let index = rng.usize(..self.members.len());
                let member = &mut self.members[index];
                (member.at, member.version) = (now, member.version + 1);
                if kind < 9 {
                    member.archived = !member.archived;
                }
            }
        }
        self.sort();
    }
}

/// What a sink has after all deliveries: the last version of each member.
pub(super) type Sink = HashMap<u64, u32>;

pub(super) struct Run<'a> {
    pub(super) server: &'a mut Server,
    pub(super) sink: &'a mut Sink,
    pub(super) rng: Rng,
    pub(super) page_size: u32,
    pub(super) workers: usize,
    /// Changes between two steps, in percent.
    pub(super) changes: u8,
    /// The process dies after so many pages.
    pub(super) dies_after: usize,
    /// Requests that fail, in percent, if their page is longer than so many rows.
    pub(super) fails: (u8, u32),
}

#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) requests: usize,
    pub(super) rows: usize,
    pub(super) delivered: usize,
    pub(super) progress: Option<Progress>,
    pub(super) events: Vec<Event>,
    pub(super) defects: Vec<Defect>,
    pub(super) died: bool,
}

impl<'a> Run<'a> {
    pub(super) fn new(server: &'a mut Server, sink: &'a mut Sink, seed: u64) -> Self {
        Self {
            server,
            sink,
            rng: Rng::with_seed(seed),
            page_size: 10,
            workers: 4,
            changes: 0,
            dies_after: usize::MAX,
            fails: (0, 0),
        }
    }

    /// Reads from `from` to two seconds ago. Requests reach the server, answers come back and the server changes in any
    /// order.
    pub(super) fn read(mut self, from: &From) -> Report {
        let bound = self.server.now - 2;
        let windows = from.windows(StatusFilter::All, 0, bound);
        let mut plan = Plan::new(self.page_size, self.workers, windows);
        let mut report = Report::default();
        let mut sent: Vec<Request> = Vec::new();
        let mut answered: Vec<(Request, Page)> = Vec::new();
        let endless = 2_000 + 100 * self.server.members.len();
        loop {
            while let Some(request) = plan.next_request() {
                sent.push(request);
                report.requests += 1;
                assert!(report.requests < endless, "the read does not end");
            }
            if sent.is_empty() && answered.is_empty() {
                assert!(plan.is_finished(), "nothing under way and not finished");
                report.progress = Some(Progress {
                    until: bound,
                    open: plan.open_windows(),
                });
                return report;
            }
            if self.rng.u8(..100) < self.changes {
                self.server.change(&mut self.rng);
            }
            if self.server.quirks.jumps && self.rng.u8(..10) == 0 {
                self.server.quirks.jumps = false;
                self.server.members.rotate_right(1);
            }
            let step = self.rng.usize(..sent.len() + answered.len());
            if step < sent.len() {
                let request = sent.swap_remove(step);
                let (often, above) = self.fails;
                if request.count > above && self.rng.u8(..100) < often {
                    report
                        .events
                        .extend(plan.on_failure(request.id, Failure::TooMuch));
                } else {
                    let page = self.server.answer(&request, &mut self.rng);
                    answered.push((request, page));
                }
                continue;
            }
            let (request, page) = answered.swap_remove(step - sent.len());
            let taken = plan.on_page(request.id, &page.rows, page.total);
            assert_eq!(taken.keep.len(), page.rows.len());
            report.rows += page.rows.len();
            for ((row, version), _) in page
                .rows
                .iter()
                .zip(&page.versions)
                .zip(&taken.keep)
                .filter(|(_, keep)| **keep)
            {
                self.sink.insert(row.id, *version);
                report.delivered += 1;
            }
            report.defects.extend(taken.defect);
            report.events.extend(taken.events);
            if self.dies_after == 0 {
                report.progress = Some(Progress {
                    until: bound,
                    open: plan.open_windows(),
                });
                report.died = true;
                return report;
            }
            self.dies_after -= 1;
        }
    }
}

/// Every member whose state is older than what the run vouches for is at the sink, in that state.
pub(super) fn missing(server: &Server, sink: &Sink, progress: &Progress) -> Option<String> {
    let until = progress.complete_until()?;
    server
        .members
        .iter()
        .find(|member| member.at <= until && sink.get(&member.id) != Some(&member.version))
        .map(|member| format!("{member:?} is missing, complete until {until}"))
}
