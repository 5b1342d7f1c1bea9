//! `discover`: what an account's streams are. Asks nobody: the catalogue knows.

use std::fmt::Write as _;

use serde_json::json;
use sync_core::ErrorKind;
use sync_mailchimp::catalogue::{Changes, StreamDefinition};

use super::args::DiscoverArguments;
use super::exit::{Exit, Failure};
use super::listing::json_text;
use super::output::{Stream, Table, print};
use crate::config::everything;

pub(super) fn execute(arguments: &DiscoverArguments) -> Result<Exit, Failure> {
    let named = |stream: &&StreamDefinition| {
        arguments.streams.is_empty() || arguments.streams.iter().any(|name| name == stream.name)
    };
    let streams: Vec<&StreamDefinition> = everything().filter(named).collect();
    if let Some(unknown) = arguments
        .streams
        .iter()
        .find(|name| streams.iter().all(|stream| stream.name != name.as_str()))
    {
        let error = sync_core::Error::new(
            ErrorKind::Config,
            "list streams",
            "there is no such stream; sync-cli discover lists them",
        );
        return Err(Failure::before_start(error.with("stream", unknown)));
    }
    let text = if arguments.json {
        let streams: Vec<_> = streams.into_iter().map(described).collect();
        json_text(&streams)?
    } else if arguments.streams.is_empty() {
        listed(&streams)
    } else {
        streams.into_iter().map(explained).collect()
    };
    print(Stream::Stdout, &text);
    Ok(Exit::Good)
}

/// How a later run reads less than everything, in words.
fn incremental(stream: &StreamDefinition) -> String {
    let gate = stream.parent.filter(|parent| !parent.gate.is_empty());
    match (stream.changes, gate) {
        (Changes::Since { parameter, .. }, _) => format!("{parameter}, with a look-back"),
        (Changes::Periodic, _) => "read in full, once in streams_reading.periodic_hours".to_owned(),
        (_, Some(parent)) => format!(
            "when {} change of {}",
            parent.gate.join(", "),
            parent.stream
        ),
        _ => "read in full".to_owned(),
    }
}

fn listed(streams: &[&StreamDefinition]) -> String {
    let mut table = Table::new(&["stream", "below", "default", "calls", "key"]);
    for stream in streams {
        table.row(vec![
            stream.name.to_owned(),
            stream
                .parent
                .map_or("account", |parent| parent.stream)
                .to_owned(),
            if stream.by_default { "yes" } else { "no" }.to_owned(),
            stream.cost.to_owned(),
            stream.key.join(", "),
        ]);
    }
    table.render()
}

fn explained(stream: &StreamDefinition) -> String {
    let mut text = format!("{}\n  {}\n", stream.name, stream.about);
    let mut say = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name:<12} {value}");
    };
    say("path", stream.path);
    if let Some(parent) = stream.parent {
        say("below", parent.stream);
    }
    say("key", &stream.key.join(", "));
    say("later runs", &incremental(stream));
    say("calls", stream.cost);
    say("by default", if stream.by_default { "yes" } else { "no" });
    text.push('\n');
    let mut table = Table::new(&["field", "type"]);
    for field in stream.stream().fields() {
        table.row(vec![field.path.join("."), field.holds.to_string()]);
    }
    text.push_str(&table.render());
    text.push('\n');
    text
}

fn described(stream: &StreamDefinition) -> serde_json::Value {
    json!({
        "stream": stream.name,
        "about": stream.about,
        "path": stream.path,
        "below": stream.parent.map(|parent| parent.stream),
        "key": stream.key,
        "by_default": stream.by_default,
        "later_runs": incremental(stream),
        "calls": stream.cost,
        "schema": stream.stream().json_schema(),
    })
}
