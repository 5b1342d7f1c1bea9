use std::collections::HashSet;

use sync_core::table::Table;

use crate::catalogue::definition::{Changes, Rows, StreamDefinition, variables};
use crate::catalogue::{members, stream, streams};

fn all() -> impl Iterator<Item = &'static StreamDefinition> {
    streams().chain([members()])
}

/// The fields of a record that stand at its top.
fn top_fields(definition: &StreamDefinition) -> HashSet<&'static str> {
    let declared = definition.fields.iter().map(|(path, _)| *path);
    definition
        .variables()
        .chain(declared)
        .chain(["account_id"])
        .collect()
}

#[test]
fn names_are_unique_and_those_of_their_tables() {
    let mut seen = HashSet::new();
    for definition in all() {
        let name = definition.name;
        assert!(seen.insert(name), "{name} twice");
        assert_eq!(Table::new(&definition.stream()).name(), name);
        assert_eq!(stream(name), Some(definition));
    }
}

#[test]
fn a_path_is_filled_by_the_parent_and_part_of_the_key() {
    for definition in all() {
        let name = definition.name;
        let wanted: HashSet<_> = definition.variables().collect();
        let ids = definition.parent.map_or(&[][..], |parent| parent.ids);
        let filled: HashSet<_> = ids.iter().map(|(_, variable)| *variable).collect();
        assert_eq!(wanted, filled, "{name}");
        for variable in wanted {
            assert!(definition.key.contains(&variable), "{name}: {variable}");
        }
    }
}

#[test]
fn a_record_is_found_by_its_key() {
    for definition in all() {
        let name = definition.name;
        let fields = top_fields(definition);
        for field in definition.key {
            assert!(fields.contains(field), "{name} has no {field}");
        }
        for variable in definition.item.into_iter().flat_map(variables) {
            assert!(definition.key.contains(&variable), "{name}: {variable}");
        }
    }
}

#[test]
fn parents_have_what_their_children_ask_for() {
    for definition in all() {
        let Some(parent) = definition.parent else {
            continue;
        };
        let name = definition.name;
        let above = stream(parent.stream).expect(name);
        let fields = top_fields(above);
        for (field, _) in parent.ids {
            assert!(fields.contains(field), "{name}: {field}");
        }
        for gate in parent.gate {
            assert!(
                above.fields.iter().any(|(path, _)| path == gate),
                "{name}: {gate}"
            );
        }
    }
}

#[test]
fn every_line_of_parents_ends() {
    for definition in all() {
        let mut at = definition;
        let mut steps = 0;
        while let Some(parent) = at.parent {
            at = stream(parent.stream).expect(definition.name);
            steps += 1;
            assert!(steps < 5, "{}", definition.name);
        }
    }
}

#[test]
fn times_that_are_looked_at_are_fields() {
    for definition in all() {
        let field = match definition.changes {
            Changes::Untold | Changes::Periodic => continue,
            Changes::Since { field, .. } | Changes::EventsSince { field, .. } => field,
        };
        assert!(
            definition
                .fields
                .contains(&(field, sync_core::FieldType::Timestamp)),
            "{}",
            definition.name
        );
    }
}

#[test]
fn the_number_of_rows_is_asked_for_with_the_gate() {
    for definition in all() {
        if let Changes::EventsSince { rows, .. } = definition.changes {
            let parent = definition.parent.expect(definition.name);
            assert!(parent.gate.contains(&rows), "{}", definition.name);
        }
    }
}

#[test]
fn what_is_carried_is_declared() {
    for definition in all() {
        if let Rows::Nested { carried, .. } = definition.rows {
            let fields = top_fields(definition);
            for (_, to) in carried {
                assert!(fields.contains(to), "{}: {to}", definition.name);
            }
        }
    }
}

#[test]
fn columns_do_not_collide_and_are_not_too_many() {
    for definition in all() {
        let name = definition.name;
        let table = Table::new(&definition.stream());
        let columns: HashSet<_> = table.columns().iter().map(|column| &column.name).collect();
        assert_eq!(columns.len(), table.columns().len(), "{name}");
        assert!(columns.len() <= 400, "{name}");
        // A field declared twice, or both as a whole and by its parts, would not show above.
        let paths: HashSet<_> = definition.fields.iter().map(|(path, _)| *path).collect();
        assert_eq!(paths.len(), definition.fields.len(), "{name}");
        for path in &paths {
            let mut above = *path;
            while let Some((front, _)) = above.rsplit_once('.') {
                assert!(!paths.contains(front), "{name}: {path} inside {front}");
                above = front;
            }
        }
    }
}

#[test]
fn what_costs_a_call_a_member_must_be_asked_for() {
    for definition in all() {
        let below_members = definition
            .parent
            .is_some_and(|parent| parent.stream == "members");
        assert!(
            !below_members || !definition.by_default,
            "{}",
            definition.name
        );
    }
}
