//! A column of a table, read as the type that a view shows.

use sync_core::FieldType;

use crate::catalog::{column_sql, sql_type};

/// What the server reads as a number without an error.
const INTEGER: &str = "^-?[0-9]{1,18}$";
const NUMBER: &str = "^-?[0-9]{1,100}([.][0-9]{1,100})?([eE][-+]?[0-9]{1,2})?$";
/// What it reads as a day. The 29th of February is missing: not every year has one.
const DAY: &str = "[0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))";
const TIME: &str =
    "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,9})?(Z|[-+](0[0-9]|1[0-4]):[0-5][0-9])?";

/// The column of the table `letter`, which holds `holds`, as `wanted`; null where that cannot be, and everywhere if there is no
/// such column. Never an error, whatever is in the column.
pub(super) fn read_as(
    letter: &str,
    name: &str,
    holds: Option<FieldType>,
    wanted: FieldType,
) -> String {
    use FieldType::{Boolean, Date, Integer, Json, Number, Text, Timestamp};
    let kind = sql_type(wanted);
    let column = format!("{letter}.{}", column_sql(name));
    let matching =
        |pattern: &str, read: &str| format!("CASE WHEN {column} ~ '{pattern}' THEN {read} END");
    match (holds, wanted) {
        (Some(holds), _) if holds == wanted => column,
        (Some(_), Text) | (Some(Integer), Number) => format!("{column}::{kind}"),
        (Some(Number), Integer) => {
            format!("CASE WHEN abs({column}) < 1e18 THEN {column}::{kind} END")
        }
        (Some(Integer | Number), Boolean) => format!("{column} <> 0"),
        (Some(Boolean), Integer | Number) => format!("{column}::integer::{kind}"),
        (Some(Date), Timestamp) => format!("{column}::timestamp AT TIME ZONE 'UTC'"),
        (Some(Timestamp), Date) => format!("({column} AT TIME ZONE 'UTC')::date"),
        (Some(Text), Integer) => matching(INTEGER, &format!("{column}::{kind}")),
        (Some(Text), Number) => matching(NUMBER, &format!("{column}::{kind}")),
        (Some(Text), Date) => matching(&format!("^{DAY}"), &format!("left({column}, 10)::date")),
        (Some(Text), Timestamp) => matching(
            &format!("^{DAY}([T ]{TIME})?$"),
            // Without a zone it is UTC, whatever the session's zone is.
            &format!(
                "CASE WHEN {column} ~ '(Z|[-+][0-9]{{2}}:[0-9]{{2}})$' AND length({column}) > 10 \
                 THEN {column}::timestamptz ELSE {column}::timestamp AT TIME ZONE 'UTC' END"
            ),
        ),
        (Some(Text), Boolean) => {
            format!("CASE {column} WHEN 'true' THEN true WHEN 'false' THEN false END")
        }
        (Some(Text), Json) => format!("to_jsonb({column})"),
        _ => format!("NULL::{kind}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_that_is_not_there_is_a_typed_null() {
        assert_eq!(
            read_as("m", "vip", None, FieldType::Boolean),
            "NULL::boolean"
        );
        assert_eq!(
            read_as("m", "vip", Some(FieldType::Boolean), FieldType::Boolean),
            "m.\"vip\""
        );
        assert_eq!(
            read_as("m", "n", Some(FieldType::Json), FieldType::Integer),
            "NULL::bigint"
        );
    }
}
