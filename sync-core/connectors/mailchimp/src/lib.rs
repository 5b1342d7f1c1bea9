//! Mailchimp audiences as a source: complete under change, over ten connections
