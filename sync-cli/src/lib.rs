//! Keeps Mailchimp audiences true in Ometria, hour by hour
