//! Events, notes and goals of a member.

use crate::endpoint::list_request;
use crate::field::{JsonObject, Timestamp};
use crate::open_enum::{SortDir, open_enum};
use crate::record::record;

record! {
    /// An event the account wrote to a member. Events have no id.
    MemberEvent {
        /// When it happened.
        occurred_at: Timestamp,
        /// Its name, 2 to 30 characters.
        name: String,
        /// What the account added.
        properties: JsonObject,
    }
}

open_enum! {
    /// What notes can be sorted by.
    NoteSort {
        /// Time of writing.
        CreatedAt = "created_at",
        /// Time of the last change.
        UpdatedAt = "updated_at",
        /// Id.
        NoteId = "note_id",
    }
}

list_request! {
    /// Order and page of [`super::Members::notes`].
    ListNotes {
        /// Order. Without it the order is not documented.
        sort_field: NoteSort,
        /// Direction of the order.
        sort_dir: SortDir,
    }
}

record! {
    /// A note about a member. The latest one is in [`crate::Member::last_note`] too.
    MemberNote {
        /// Id of the note.
        id: u64,
        /// When it was written.
        created_at: Timestamp,
        /// By whom.
        created_by: String,
        /// When it was last changed.
        updated_at: Timestamp,
        /// Its text.
        note: String,
        /// The audience.
        list_id: String,
        /// MD5 of the lower-cased address.
        email_id: String,
        /// Identifies the person in this audience, also when the address changes.
        contact_id: String,
    }
}

record! {
    /// A goal a member reached. Goals are retired.
    MemberGoal {
        /// Id of the goal.
        goal_id: u64,
        /// Its name.
        event: String,
        /// When it was last reached.
        last_visited_at: Timestamp,
        /// What was sent with it.
        data: String,
    }
}
