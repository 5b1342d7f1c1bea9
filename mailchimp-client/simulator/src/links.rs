//! `_links`, the part of every answer that nobody reads and that makes it twice as long.

use serde_json::{Value, json};

use crate::fields::View;
use crate::object::Object;
use crate::simulator::Context;

const SCHEMAS: &str = "https://us1.api.mailchimp.com/schema/3.0/Definitions";

/// One link to a path below the API's root.
pub(crate) fn link(context: &Context<'_>, rel: &str, path: &str, method: &str) -> Value {
    json!({
        "rel": rel,
        "href": format!("{}/3.0/{path}", context.origin),
        "method": method,
        "targetSchema": format!("{SCHEMAS}/Lists/Response.json"),
    })
}

/// The links of a collection.
pub(crate) fn own(context: &Context<'_>, path: &str) -> Value {
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    json!([
        link(context, "self", path, "GET"),
        link(context, "parent", parent, "GET")
    ])
}

/// Appends the one link of a row of a report, for which a tree of values would cost more than the rest of the row.
pub(crate) fn write_parent(out: &mut String, origin: &str, path: &str, view: View<'_>) {
    out.push('[');
    let mut link = Object::new(out, view);
    link.text("rel", "parent")
        .text_of("href", &[origin, "/3.0/", path])
        .text("method", "GET")
        .text_of(
            "targetSchema",
            &[SCHEMAS, "/Reports/CollectionResponse.json"],
        );
    link.end();
    out.push(']');
}

/// Appends the links of a member row. Written by hand: this is half of every row that asks for it.
pub(crate) fn write_member(out: &mut String, origin: &str, list: &str, hash: &str) {
    const LINKS: [(&str, &str, &str); 10] = [
        ("self", "GET", ""),
        ("parent", "GET", ".."),
        ("update", "PATCH", ""),
        ("upsert", "PUT", ""),
        ("delete", "DELETE", ""),
        ("activity", "GET", "/activity"),
        ("goals", "GET", "/goals"),
        ("notes", "GET", "/notes"),
        ("events", "POST", "/events"),
        ("delete_permanent", "POST", "/actions/delete-permanent"),
    ];
    out.push('[');
    for (position, (rel, method, below)) in LINKS.into_iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        for part in [
            r#"{"rel":""#,
            rel,
            r#"","href":""#,
            origin,
            "/3.0/lists/",
            list,
            "/members",
        ] {
            out.push_str(part);
        }
        if below != ".." {
            for part in ["/", hash, below] {
                out.push_str(part);
            }
        }
        for part in [
            r#"","method":""#,
            method,
            r#"","targetSchema":""#,
            SCHEMAS,
            r#"/Lists/Members/Response.json","schema":""#,
            SCHEMAS,
            "/Lists/Members/",
            method,
            r#".json"}"#,
        ] {
            out.push_str(part);
        }
    }
    out.push(']');
}
