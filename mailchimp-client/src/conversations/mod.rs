//! `/conversations`: replies to campaigns, as they were collected before the inbox.
//!
//! Deprecated by Mailchimp: what is in the inbox is not in here.

use chrono::{DateTime, Utc};

use crate::client::Client;
use crate::endpoint::{collection, list_request, object};
use crate::field::Timestamp;
use crate::record::record;

/// The conversations of an account; made by [`Client::conversations`].
#[derive(Debug, Clone)]
pub struct Conversations {
    client: Client,
}

impl Conversations {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    collection! {
        "/conversations",
        "conversations": Conversation, ListConversations,
        /// One page of conversations.
        page list,
        /// All conversations that match.
        stream stream,
    }

    object! {
        "/conversations/{conversation_id}" (conversation_id: &str): Conversation,
        /// One conversation.
        get
    }

    collection! {
        "/conversations/{conversation_id}/messages" (conversation_id: &str),
        "conversation_messages": ConversationMessage, ListMessages,
        /// The messages of a conversation. Pages are not documented here.
        page messages,
        /// All messages of a conversation that match.
        stream messages_stream,
    }

    object! {
        "/conversations/{conversation_id}/messages/{message_id}"
            (conversation_id: &str, message_id: &str): ConversationMessage,
        /// One message.
        message
    }
}

list_request! {
    /// Filters and page of [`Conversations::list`].
    ListConversations {
        /// Only conversations with (or without) unread messages.
        has_unread_messages: bool,
        /// Only about campaigns to this audience.
        list_id: String,
        /// Only about this campaign.
        campaign_id: String,
    }
}

list_request! {
    /// Filters and page of [`Conversations::messages`].
    ListMessages {
        /// Only messages that were (or were not) read.
        is_read: bool,
        /// Written in this second or before.
        before_timestamp: DateTime<Utc>,
        /// Written after this second.
        since_timestamp: DateTime<Utc>,
    }
}

record! {
    /// A conversation.
    Conversation {
        /// Id of the conversation.
        id: String,
        /// Messages.
        message_count: u64,
        /// The campaign it is about.
        campaign_id: String,
        /// The audience.
        list_id: String,
        /// Unread messages.
        unread_messages: u64,
        /// Sender's name.
        from_label: String,
        /// Sender's address.
        from_email: String,
        /// Subject.
        subject: String,
        /// The last message, without ids.
        last_message: ConversationMessage,
    }
}

record! {
    /// A message.
    ConversationMessage {
        /// Id of the message.
        id: String,
        /// The conversation.
        conversation_id: String,
        /// The audience, by its id in the web application, unlike elsewhere.
        list_id: u64,
        /// Sender's name.
        from_label: String,
        /// Sender's address.
        from_email: String,
        /// Subject.
        subject: String,
        /// Plain text.
        message: String,
        /// Whether it was read.
        read: bool,
        /// When it was written.
        timestamp: Timestamp,
    }
}
