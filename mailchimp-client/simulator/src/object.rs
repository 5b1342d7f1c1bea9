//! JSON objects written as text, with only the parts that were asked for.

use std::fmt::Write as _;

use serde_json::Value;

use crate::fields::View;
use crate::member::write_hex;
use crate::render::{write_str, write_value};
use crate::timestamp;

/// One object in the making. Rows that come by the million are written with it, because a tree of values for each
/// would take ten times as long.
pub(crate) struct Object<'o, 'v> {
    out: &'o mut String,
    view: View<'v>,
    empty: bool,
}

impl<'o, 'v> Object<'o, 'v> {
    /// Opens an object of which the view says what is wanted.
    pub(crate) fn new(out: &'o mut String, view: View<'v>) -> Self {
        out.push('{');
        Self {
            out,
            view,
            empty: true,
        }
    }

    /// Closes it.
    pub(crate) fn end(self) {
        self.out.push('}');
    }

    /// A part that has parts.
    pub(crate) fn part(
        &mut self,
        name: &str,
        write: impl FnOnce(&mut String, View<'v>),
    ) -> &mut Self {
        let view = self.view.child(name);
        if !matches!(view, View::Nothing) {
            self.name(name);
            write(self.out, view);
        }
        self
    }

    pub(crate) fn text(&mut self, name: &str, text: &str) -> &mut Self {
        self.plain(name, |out| write_str(out, text))
    }

    /// A text in parts, none of which needs escaping.
    pub(crate) fn text_of(&mut self, name: &str, parts: &[&str]) -> &mut Self {
        self.plain(name, |out| {
            out.push('"');
            for part in parts {
                out.push_str(part);
            }
            out.push('"');
        })
    }

    pub(crate) fn number(&mut self, name: &str, number: impl Into<u64>) -> &mut Self {
        let number: u64 = number.into();
        self.plain(name, |out| {
            // Writing to a string cannot fail.
            let _ = write!(out, "{number}");
        })
    }

    pub(crate) fn flag(&mut self, name: &str, flag: bool) -> &mut Self {
        self.plain(name, |out| {
            out.push_str(if flag { "true" } else { "false" });
        })
    }

    /// A time; `""` for zero.
    pub(crate) fn time(&mut self, name: &str, seconds: u32) -> &mut Self {
        self.plain(name, |out| {
            out.push('"');
            timestamp::write(out, seconds);
            out.push('"');
        })
    }

    pub(crate) fn hex(&mut self, name: &str, bytes: &[u8]) -> &mut Self {
        self.plain(name, |out| {
            out.push('"');
            write_hex(out, bytes);
            out.push('"');
        })
    }

    pub(crate) fn value(&mut self, name: &str, value: Value) -> &mut Self {
        if let Some(value) = self.view.child(name).prune(value) {
            self.name(name);
            write_value(self.out, &value);
        }
        self
    }

    /// A part without parts: asking for a part of it finds nothing.
    fn plain(&mut self, name: &str, write: impl FnOnce(&mut String)) -> &mut Self {
        if !matches!(self.view.child(name), View::Nothing | View::Only(_)) {
            self.name(name);
            write(self.out);
        }
        self
    }

    fn name(&mut self, name: &str) {
        if !self.empty {
            self.out.push(',');
        }
        self.empty = false;
        write_str(self.out, name);
        self.out.push(':');
    }
}
