//! What the login host tells about an OAuth token.

use serde_json::{Value, json};

use crate::settings::Settings;

/// The path at the login host, which is not part of the API. Here it is at the same host.
pub(crate) const METADATA: &str = "/oauth2/metadata";

/// The body of an answer. Its status is 200 even for a token that is good for nothing, as users report of the live host.
pub(crate) fn metadata(valid: bool, settings: &Settings, origin: &str) -> Value {
    if !valid {
        return json!({"error": "invalid_token"});
    }
    let center = settings
        .api_key
        .rsplit_once('-')
        .map_or("us1", |(_, center)| center);
    json!({
        "dc": center,
        "role": "owner",
        "accountname": "Freddie's Jokes",
        "user_id": 17,
        "login": {
            "email": "owner@mail.test", "avatar": null, "login_id": 18, "login_name": "freddie",
            "login_email": "owner@mail.test",
        },
        "login_url": "https://login.mailchimp.test",
        "api_endpoint": origin,
    })
}
