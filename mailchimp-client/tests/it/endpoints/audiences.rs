//! Figures and forms of an audience, the history of its members, and the beta surface.

use futures::TryStreamExt;
use mailchimp_client::{
    AbuseReport, ChannelStatus, ConsentStatus, Contact, ContactStatus, GrowthMonth, GrowthSort,
    ListContacts, ListDay, ListGrowthHistory, ListLocation, ListNotes, MemberEvent, MemberGoal,
    MemberNote, NoteSort, SignupForm, SortDir, subscriber_hash,
};
use serde_json::{Value, json};
use wiremock::matchers::{query_param, query_param_is_missing};

use super::{ADDRESS, everything, ok, on, page, read, server, time};

#[tokio::test]
async fn growth_activity_and_complaints() {
    let (server, client) = server().await;
    let month = json!({ "list_id": "a", "month": "2026-01", "existing": 0, "imports": 0,
        "optins": 0, "subscribed": 203, "unsubscribed": 3, "reconfirm": 0, "cleaned": 1,
        "pending": 2, "deleted": 0, "transactional": 5 });
    let day = json!({ "day": "2026-01-31", "emails_sent": 203, "unique_opens": 9,
        "recipient_clicks": 3, "hard_bounce": 1, "soft_bounce": 0, "subs": 2, "unsubs": 1,
        "other_adds": 10, "other_removes": 0 });
    let abuse = json!({ "id": 42, "campaign_id": "c", "list_id": "a", "email_id": "k",
        "email_address": ADDRESS, "merge_fields": { "FNAME": "" }, "vip": false,
        "date": "2026-01-01 00:00:00 by Freddie" });
    on("GET", "/lists/a/growth-history")
        .and(query_param("sort_field", "month"))
        .and(query_param("sort_dir", "ASC"))
        .respond_with(ok(
            json!({ "history": [month], "list_id": "a", "total_items": 1 }),
        ))
        .mount(&server)
        .await;
    on("GET", "/lists/a/growth-history/2026-01")
        .respond_with(ok(month.clone()))
        .mount(&server)
        .await;
    for (at, key, row) in [
        ("activity", "activity", &day),
        ("abuse-reports", "abuse_reports", &abuse),
    ] {
        on("GET", &format!("/lists/a/{at}"))
            .and(query_param("offset", "5"))
            .respond_with(ok(json!({ key: [row], "list_id": "a", "total_items": 6 })))
            .mount(&server)
            .await;
    }
    let list = client.list("a");
    let request = ListGrowthHistory {
        sort_field: Some(GrowthSort::Month),
        sort_dir: Some(SortDir::Ascending),
        ..ListGrowthHistory::default()
    };
    let history = list.growth_history(&request).await.unwrap().into_value();
    let one = list
        .growth_in("2026-01", &everything())
        .await
        .unwrap()
        .into_value();
    assert_eq!(history.items, [one]);
    let month: GrowthMonth = read(&month);
    assert_eq!(
        (month.existing.value(), month.subscribed.value()),
        (Some(&0), Some(&203))
    );
    let days = list.activity(&page(5)).await.unwrap().into_value();
    assert_eq!(days.items[0].other_adds.value(), Some(&10));
    read::<ListDay>(&day);
    let complaints = list.abuse_reports(&page(5)).await.unwrap().into_value();
    assert_eq!(complaints.extra.get("list_id"), Some(&json!("a")));
    // What is no time is kept, and costs nobody the row.
    let abuse: AbuseReport = serde_json::from_value(abuse).unwrap();
    assert!(abuse.date.unexpected().is_some());
    assert_eq!(abuse.id.value(), Some(&42));
}

#[tokio::test]
async fn programs_places_forms_and_surveys() {
    let (server, client) = server().await;
    let form = json!({ "header": { "image_url": "", "text": "Hi", "image_width": "100",
            "image_height": "", "image_alt": "", "image_link": "", "image_align": "none",
            "image_border_width": "0", "image_border_style": "none", "image_border_color": "#000",
            "image_target": null },
        "contents": [{ "section": "signup_message", "value": "<p>Hi</p>" }],
        "styles": [{ "selector": "page_header",
            "options": [{ "property": "color", "value": "#fff" }] }],
        "signup_form_url": "https://example.net/f", "list_id": "a" });
    let place = json!({ "country": "USA", "cc": "US", "percent": 99.5, "total": 202 });
    for (at, key, row) in [
        (
            "clients",
            "clients",
            json!({ "client": "Gmail", "members": 87 }),
        ),
        ("locations", "locations", place.clone()),
        ("signup-forms", "signup_forms", form.clone()),
    ] {
        on("GET", &format!("/lists/a/{at}"))
            .respond_with(ok(json!({ key: [row], "list_id": "a", "total_items": 1 })))
            .mount(&server)
            .await;
    }
    on("GET", "/lists/a/surveys")
        .respond_with(ok(json!({ "whatever": [{ "id": "s" }] })))
        .mount(&server)
        .await;
    let list = client.list("a");
    let programs = list.clients(&page(0)).await.unwrap().into_value();
    assert_eq!(programs.items[0].members.value(), Some(&87));
    let places = list.locations(&page(0)).await.unwrap().into_value();
    assert_eq!(
        places.items[0].percent.value().unwrap().as_f64(),
        Some(99.5)
    );
    read::<ListLocation>(&place);
    let forms = list.signup_forms(&page(0)).await.unwrap().into_value();
    assert!(
        forms.items[0]
            .header
            .value()
            .unwrap()
            .image_target
            .is_empty()
    );
    let form: SignupForm = read(&form);
    let options = form.styles.value().unwrap()[0]
        .options
        .value()
        .unwrap()
        .len();
    assert_eq!(options, 1);
    let surveys = list.surveys(&everything()).await.unwrap().into_value();
    assert_eq!(surveys.get("whatever").unwrap()[0]["id"], "s");
}

#[tokio::test]
async fn the_history_of_a_member() {
    let (server, client) = server().await;
    let at = format!("/lists/a/members/{}", subscriber_hash(ADDRESS));
    let event = json!({ "occurred_at": "2026-01-01T00:00:00+00:00", "name": "purchased",
        "properties": { "hat": "red" } });
    let note = json!({ "id": 9, "created_at": "2026-01-01T00:00:00+00:00",
        "created_by": "Freddie", "updated_at": "", "note": "Likes hats", "list_id": "a",
        "email_id": "k", "contact_id": "c" });
    let goal = json!({ "goal_id": 3, "event": "page", "last_visited_at": "", "data": "" });
    on("GET", &format!("{at}/events"))
        .and(query_param("count", "5"))
        .respond_with(ok(json!({ "events": [event], "total_items": 1 })))
        .mount(&server)
        .await;
    on("GET", &format!("{at}/notes"))
        .and(query_param("sort_field", "note_id"))
        .and(query_param("sort_dir", "DESC"))
        .respond_with(ok(json!({ "notes": [note], "total_items": 1 })))
        .mount(&server)
        .await;
    on("GET", &format!("{at}/notes/9"))
        .respond_with(ok(note.clone()))
        .mount(&server)
        .await;
    on("GET", &format!("{at}/goals"))
        .respond_with(ok(json!({ "goals": [goal], "total_items": 1 })))
        .mount(&server)
        .await;
    let members = client.list("a").members();
    let events = members
        .events(ADDRESS, &page(0))
        .await
        .unwrap()
        .into_value();
    let properties = events.items[0].properties.value().unwrap();
    assert_eq!(properties.get("hat"), Some(&json!("red")));
    read::<MemberEvent>(&event);
    let request = ListNotes {
        sort_field: Some(NoteSort::NoteId),
        sort_dir: Some(SortDir::Descending),
        ..ListNotes::default()
    };
    let notes: Vec<_> = members
        .notes_stream(ADDRESS, &request)
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(
        members.note(ADDRESS, 9, &everything()).await.unwrap().value,
        notes[0]
    );
    let note: MemberNote = read(&note);
    assert!(note.updated_at.is_empty());
    let goals = members.goals(ADDRESS, &page(0)).await.unwrap().into_value();
    assert!(goals.items[0].last_visited_at.is_empty());
    read::<MemberGoal>(&goal);
}

/// A contact without an address, which no other surface has.
fn contact() -> Value {
    json!({ "id": "0123456789ABCDEF0123456789ABCDEF", "audience_id": "a", "language": "en",
        "status": "archived",
        "sms_channel": { "sms_phone": "+15555550100", "hashed_sms_phone": "ab",
            "effective_subscription_status": { "value": "nonsubscribed" },
            "marketing_consent": { "status": "unknown", "source": { "name": "API" } },
            "source": { "name": "API" } },
        "merge_fields": { "FNAME": "" }, "tags": ["hats"], "source": { "name": "API" },
        "created_at": "2026-01-01T00:00:00+00:00",
        "last_updated_at": "2026-01-02T00:00:00+00:00" })
}

#[test]
fn a_contact_can_be_without_an_address() {
    let sms: Contact = read(&contact());
    assert!(sms.email_channel.is_absent());
    assert_eq!(sms.status.value(), Some(&ContactStatus::Archived));
    let channel = sms.sms_channel.value().unwrap();
    let status = channel.effective_subscription_status.value().unwrap();
    assert_eq!(status.value.value(), Some(&ChannelStatus::Nonsubscribed));
    let mut json = contact();
    json["email_channel"] = json!({ "email": ADDRESS, "hashed_email": "k",
        "effective_subscription_status": { "value": "subscribed" },
        "marketing_consent": { "status": "confirmed", "source": { "name": "Form" } },
        "source": { "name": "Form" } });
    json["sms_channel"] = json!(null);
    let mail: Contact = read(&json);
    assert!(mail.sms_channel.is_empty());
    let consent = mail
        .email_channel
        .value()
        .unwrap()
        .marketing_consent
        .value()
        .unwrap();
    assert_eq!(consent.status.value(), Some(&ConsentStatus::Confirmed));
    assert!(!format!("{mail:?}").contains("Urist"));
}

#[tokio::test]
async fn contacts_come_page_after_page_by_cursor() {
    let (server, client) = server().await;
    let audience = json!({ "id": "a", "name": "Hats", "stats": { "total_contacts": 2 },
        "enabled_channels": ["email", "sms"] });
    on("GET", "/audiences")
        .and(query_param("offset", "5"))
        .respond_with(ok(json!({ "audiences": [audience], "total_items": 6 })))
        .mount(&server)
        .await;
    let filtered = || {
        on("GET", "/audiences/a/contacts")
            .and(query_param("count", "1"))
            .and(query_param("created_since", "2026-01-01T00:00:01Z"))
            .and(query_param("created_before", "2026-01-01T00:00:02Z"))
            .and(query_param("updated_since", "2026-01-01T00:00:03Z"))
            .and(query_param("updated_before", "2026-01-01T00:00:04Z"))
            .and(query_param_is_missing("offset"))
    };
    filtered()
        .and(query_param_is_missing("cursor"))
        .respond_with(ok(
            json!({ "contacts": [contact()], "next_cursor": "x+/=" }),
        ))
        .mount(&server)
        .await;
    filtered()
        .and(query_param("cursor", "x+/="))
        .respond_with(ok(json!({ "contacts": [{ "id": "last" }] })))
        .mount(&server)
        .await;
    let audiences = client.audiences();
    let listed = audiences.list(&page(5)).await.unwrap().into_value();
    let stats = listed.items[0].stats.value().unwrap();
    assert_eq!(stats.total_contacts.value(), Some(&2));
    let request = ListContacts {
        count: Some(1),
        created_since: Some(time("2026-01-01T00:00:01Z")),
        created_before: Some(time("2026-01-01T00:00:02Z")),
        updated_since: Some(time("2026-01-01T00:00:03Z")),
        updated_before: Some(time("2026-01-01T00:00:04Z")),
        ..ListContacts::default()
    };
    let first = audiences
        .contacts("a", &request)
        .await
        .unwrap()
        .into_value();
    assert_eq!(first.extra.get("next_cursor"), Some(&json!("x+/=")));
    let second = ListContacts {
        cursor: Some("x+/=".into()),
        ..request.clone()
    };
    let second = audiences.contacts("a", &second).await.unwrap().into_value();
    let all: Vec<_> = audiences
        .contacts_stream("a", &request)
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(all, [first.items, second.items].concat());
}
