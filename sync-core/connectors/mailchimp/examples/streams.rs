//! Prints `src/docs/streams.md`, the table of all streams: run it after a change of the catalogue.
//!
//! ```sh
//! cargo run -p sync-mailchimp --example streams > sync-core/connectors/mailchimp/src/docs/streams.md
//! ```

#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::fmt::Write as _;

use sync_mailchimp::catalogue::{self, Changes, Rows, StreamDefinition};

const INTRODUCTION: &str = "\
Every stream of an account, and what it costs. Made from the code by the example `streams`.

A stream in *italics* is read only if asked for.

- **Key**: the fields that name a record within its account; `content` where nothing does.
- **Below**: the stream whose records have a path each.
- **A later run** reads everything again, or what is newer than the look-back (and everything now and then), or only below
  the records, of the stream at the root of those above, of which one of the figures named here moved.
- **Remembered**: unchanged records are not sent again. With *removals*, what is gone is found and marked; where figures tell
  what to read, looking for that would cost what they save.
- **Calls** are those of a full read.

What is below an id is asked for with the id in the path, and ids of products and stores are what a shop chose. A part that
cannot be asked for so is left out; each run says how many there are in one warning, and is complete without them:

- An id longer than 512 bytes, with a control character, or with `.` or `..` between slashes cannot stand in a path.
- The slashes of any other are sent as `%2F`. Whether the API tells them from its own is not documented. If it answers that
  there is nothing below such an id, that proves nothing; what was read below it earlier is only taken for gone once the
  collection above lacks the id.

| stream | a record | key | below | a later run | remembered | calls |
| --- | --- | --- | --- | --- | --- | --- |
";

fn main() {
    print!("{}", page());
}

fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    for stream in catalogue::streams() {
        line(&mut page, stream);
        if stream.name == "lists" {
            line(&mut page, catalogue::members());
        }
    }
    page
}

fn line(page: &mut String, stream: &StreamDefinition) {
    let mark = if stream.by_default { "" } else { "*" };
    let mut key: Vec<String> = stream.key.iter().map(|field| code(field)).collect();
    let unnamed = stream
        .key
        .iter()
        .all(|field| stream.variables().any(|name| name == *field));
    if unnamed && stream.rows != Rows::Single {
        key.push("content".to_owned());
    }
    let below = stream.parent.map(|parent| code(parent.stream));
    let remembered = match (stream.remembered, gate(stream).is_empty()) {
        (false, _) => "no",
        (true, true) => "yes, and removals",
        (true, false) => "yes",
    };
    // Writing into a string cannot fail.
    let _ = writeln!(
        page,
        "| {mark}`{}`{mark} | {} | {} | {} | {} | {remembered} | {} |",
        stream.name,
        stream.about,
        key.join(", "),
        below.as_deref().unwrap_or("–"),
        later(stream),
        stream.cost,
    );
}

fn later(stream: &StreamDefinition) -> String {
    let mut moved: Vec<String> = Vec::new();
    for field in gate(stream) {
        // `opens.last_open` and `opens.opens_total` are both of `opens`.
        let group = code(field.split('.').next().unwrap_or(field));
        if !moved.contains(&group) {
            moved.push(group);
        }
    }
    let below = if moved.is_empty() {
        "all".to_owned()
    } else {
        moved.join(", ")
    };
    match stream.changes {
        Changes::Untold => below,
        Changes::Periodic => format!("{below}, once in `periodic_hours`"),
        Changes::Since { field, .. } => format!("newer `{field}`"),
        Changes::EventsSince { field, .. } => format!("{below}; newer `{field}`"),
    }
}

/// The gate that a read goes by: that of the stream at the root.
fn gate(stream: &StreamDefinition) -> &'static [&'static str] {
    let Some(parent) = stream.parent else {
        return &[];
    };
    match catalogue::stream(parent.stream) {
        Some(above) if above.parent.is_some() => gate(above),
        _ => parent.gate,
    }
}

fn code(name: &str) -> String {
    format!("`{name}`")
}

#[cfg(test)]
mod tests {
    use super::page;

    #[test]
    fn the_table_is_the_one_in_the_documentation() {
        let written = include_str!("../src/docs/streams.md");
        assert!(
            page() == written,
            "src/docs/streams.md is not of this catalogue: run the example `streams` and keep what it prints"
        );
    }
}
