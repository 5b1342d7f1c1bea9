//! Stateful simulator of the Mailchimp Marketing API 3.0, for tests and demos
