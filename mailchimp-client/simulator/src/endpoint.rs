//! Endpoints in tables: everything but what belongs to the members of an audience, which has its own code in
//! [`crate::route`].

use serde_json::Value;

use crate::account::Account;
use crate::audience::Audience;
use crate::fields::View;
use crate::links;
use crate::object::Object;
use crate::problem::Problem;
use crate::query::{Call, Paging};
use crate::render::{Answer, Rows};
use crate::simulator::Context;
use crate::{
    activity, automations, beta, campaigns, conversations, exports, files, folders, integrations,
    landing_pages, list_history, member_history, reports, stores, surveys, templates,
};

/// One path and what answers for it.
pub(crate) struct Endpoint {
    /// The path with the names of its ids in their place, as the documentation writes it.
    pub(crate) template: &'static str,
    /// Whether answers are collections that `count` and `offset` page through.
    pub(crate) paged: bool,
    /// The methods that are simulated, as the `Allow` header of a 405 lists them.
    pub(crate) allowed: &'static str,
    read: fn(&Asked<'_>) -> Result<Answer, Problem>,
    write: Option<Write>,
}

type Write = fn(&mut Account, &Context<'_>, &Call, Ids<'_>) -> Result<Answer, Problem>;

/// The ids in a path, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Ids<'a>([&'a str; MOST_IDS]);

const MOST_IDS: usize = 4;

/// A GET and everything it can be answered from.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) account: &'a Account,
    pub(crate) context: &'a Context<'a>,
    pub(crate) call: &'a Call,
    pub(crate) ids: Ids<'a>,
}

const TABLES: [&[Endpoint]; 16] = [
    campaigns::ENDPOINTS,
    reports::ENDPOINTS,
    folders::ENDPOINTS,
    templates::ENDPOINTS,
    list_history::ENDPOINTS,
    activity::ENDPOINTS,
    member_history::ENDPOINTS,
    automations::ENDPOINTS,
    landing_pages::ENDPOINTS,
    surveys::ENDPOINTS,
    files::ENDPOINTS,
    stores::ENDPOINTS,
    conversations::ENDPOINTS,
    integrations::ENDPOINTS,
    beta::ENDPOINTS,
    exports::ENDPOINTS,
];

impl Endpoint {
    /// A single resource, or a collection that comes whole.
    pub(crate) const fn whole(
        template: &'static str,
        read: fn(&Asked<'_>) -> Result<Answer, Problem>,
    ) -> Self {
        Self {
            template,
            paged: false,
            allowed: "GET",
            read,
            write: None,
        }
    }

    /// A collection in pages.
    pub(crate) const fn paged(
        template: &'static str,
        read: fn(&Asked<'_>) -> Result<Answer, Problem>,
    ) -> Self {
        Self {
            paged: true,
            ..Self::whole(template, read)
        }
    }

    /// The same with other methods besides GET.
    pub(crate) const fn writable(self, allowed: &'static str, write: Write) -> Self {
        Self {
            allowed,
            write: Some(write),
            ..self
        }
    }

    /// The endpoint at a decoded path below `/3.0`, and the ids in the path.
    pub(crate) fn at<'a>(path: &[&'a str]) -> Option<(&'static Self, Ids<'a>)> {
        let tables: &'static [&'static [Self]] = &TABLES;
        tables
            .iter()
            .flat_map(|table| table.iter())
            .find_map(|endpoint| Some((endpoint, endpoint.ids(path)?)))
    }

    /// The ids in a path, if it is one of this endpoint.
    fn ids<'a>(&self, path: &[&'a str]) -> Option<Ids<'a>> {
        let mut ids = Ids::default();
        let mut free = ids.0.iter_mut();
        let mut given = path.iter();
        for part in self.template.split('/').skip(1) {
            let &segment = given.next()?;
            if part.starts_with('{') {
                *free.next()? = segment;
            } else if part != segment {
                return None;
            }
        }
        given.next().is_none().then_some(ids)
    }

    /// Answers any other method that is allowed.
    pub(crate) fn write(
        &self,
        account: &mut Account,
        context: &Context<'_>,
        call: &Call,
        ids: Ids<'_>,
    ) -> Result<Answer, Problem> {
        let write = self.write.ok_or_else(Problem::not_found)?;
        write(account, context, call, ids)
    }

    /// Answers a GET.
    pub(crate) fn read(
        &self,
        account: &Account,
        context: &Context<'_>,
        call: &Call,
        ids: Ids<'_>,
    ) -> Result<Answer, Problem> {
        (self.read)(&Asked {
            account,
            context,
            call,
            ids,
        })
    }
}

impl<'a> Ids<'a> {
    /// The id at a position, empty when the path has fewer.
    pub(crate) fn get(self, position: usize) -> &'a str {
        self.0.get(position).copied().unwrap_or("")
    }

    /// The same as a number.
    pub(crate) fn number(self, position: usize) -> Option<u32> {
        self.get(position).parse().ok()
    }
}

impl<'a> Asked<'a> {
    pub(crate) fn id(&self, position: usize) -> &'a str {
        self.ids.get(position)
    }

    /// The audience whose id stands at this position of the path.
    pub(crate) fn audience(&self, position: usize) -> Result<&'a Audience, Problem> {
        self.account
            .audience(self.id(position))
            .ok_or_else(Problem::not_found)
    }

    /// The links of the path that was asked for.
    pub(crate) fn own_links(&self) -> Value {
        links::own(self.context, &self.call.path.join("/"))
    }

    /// A collection of `len` rows, of which `row` makes the one at a position.
    pub(crate) fn rows<'r>(
        &self,
        key: &'static str,
        len: usize,
        row: impl Fn(usize) -> Option<Value> + 'r,
    ) -> Rows<'r> {
        Rows::new(key, len, row).with("_links", self.own_links())
    }

    /// A collection of things that were found.
    pub(crate) fn all<'r, T>(
        &self,
        key: &'static str,
        found: &'r [T],
        row: impl Fn(&T) -> Value + 'r,
    ) -> Rows<'r> {
        self.rows(key, found.len(), move |position| {
            found.get(position).map(&row)
        })
    }

    /// Pages through the rows.
    pub(crate) fn answer(&self, rows: Rows<'_>) -> Result<Answer, Problem> {
        rows.answer(self.context, self.call)
    }

    /// A single resource, with its links.
    pub(crate) fn one(&self, value: Value) -> Result<Answer, Problem> {
        Answer::selected(value, self.call)
    }

    /// The single thing with the id in the path, or 404.
    pub(crate) fn one_of<T>(
        &self,
        found: Option<T>,
        json: impl FnOnce(T) -> Value,
    ) -> Result<Answer, Problem> {
        self.one(json(found.ok_or_else(Problem::not_found)?))
    }

    /// A collection in pages whose rows are written as text, for those that have millions. `row` appends the wanted part
    /// of the row at a position.
    pub(crate) fn written(
        &self,
        key: &'static str,
        len: usize,
        others: &[(&'static str, Value)],
        row: impl FnMut(&mut String, View<'_>, usize),
    ) -> Result<Answer, Problem> {
        let paging = self.call.query.paging(self.context.settings.page_clamp)?;
        self.write_rows(key, len, paging, others, row)
    }

    /// [`Asked::written`] with all rows at once.
    pub(crate) fn written_whole(
        &self,
        key: &'static str,
        len: usize,
        others: &[(&'static str, Value)],
        row: impl FnMut(&mut String, View<'_>, usize),
    ) -> Result<Answer, Problem> {
        let all = Paging {
            offset: 0,
            count: usize::MAX,
        };
        self.write_rows(key, len, all, others, row)
    }

    fn write_rows(
        &self,
        key: &'static str,
        len: usize,
        paging: Paging,
        others: &[(&'static str, Value)],
        mut row: impl FnMut(&mut String, View<'_>, usize),
    ) -> Result<Answer, Problem> {
        let selection = self.call.query.selection()?;
        let root = selection.root();
        let end = paging.offset.saturating_add(paging.count).min(len);
        let mut positions: Vec<usize> = (paging.offset..end).collect();
        self.call.twist.rows(&mut positions);
        let mut out = String::with_capacity(64 + positions.len() * 640);
        let mut object = Object::new(&mut out, root);
        object.part(key, |out, view| {
            out.push('[');
            for (at, &position) in positions.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                row(out, view, position);
            }
            out.push(']');
        });
        object.number("total_items", self.call.twist.total_items(len));
        for (name, value) in others {
            object.value(name, value.clone());
        }
        object.value("_links", self.own_links());
        object.end();
        Ok(Answer::text(out, positions.len()))
    }

    /// Whether the time filters of this name let a time pass: `since_` is exclusive, `before_` inclusive, and a time that
    /// there never was passes neither.
    pub(crate) fn within(&self, name: &str, at: u32) -> bool {
        let query = &self.call.query;
        let since = query.time(&format!("since_{name}"));
        let before = query.time(&format!("before_{name}"));
        let at = i64::from(at);
        since.is_none_or(|since| at > since) && before.is_none_or(|before| at <= before && at != 0)
    }

    /// Whether a parameter is absent or has this value.
    pub(crate) fn is(&self, name: &str, value: &str) -> bool {
        self.call
            .query
            .get(name)
            .is_none_or(|wanted| wanted == value)
    }

    /// Sorts by the field that was asked for, out of those that there are. Ties and unsorted lists keep their order.
    pub(crate) fn sort<T, K: Ord>(
        &self,
        found: &mut [T],
        fields: &[&'static str],
        key: impl Fn(&T, &str) -> K,
    ) -> Result<(), Problem> {
        let query = &self.call.query;
        let descending = match query.get("sort_dir") {
            None | Some("ASC") => false,
            Some("DESC") => true,
            Some(_) => return Err(Problem::not_one_of("sort_dir", &["ASC", "DESC"])),
        };
        let Some(wanted) = query.get("sort_field") else {
            return Ok(());
        };
        let Some(field) = fields.iter().find(|&&field| field == wanted) else {
            return Err(Problem::not_one_of("sort_field", fields));
        };
        if descending {
            found.sort_by_key(|item| std::cmp::Reverse(key(item, field)));
        } else {
            found.sort_by_key(|item| key(item, field));
        }
        Ok(())
    }
}
