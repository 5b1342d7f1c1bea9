//! Typed client for the Mailchimp Marketing API 3.0
