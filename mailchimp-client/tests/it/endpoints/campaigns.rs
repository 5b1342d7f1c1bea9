//! Campaigns, their folders, automations and conversations.

use futures::TryStreamExt;
use mailchimp_client::{
    Automation, AutomationEmail, AutomationStatus, Campaign, CampaignFeedback, CampaignKind,
    CampaignSort, CampaignStatus, Conversation, ConversationMessage, DeliveryState, FeedbackSource,
    GetCampaign, ListAutomations, ListCampaigns, ListConversations, ListMessages, ResendShortcut,
    RssFrequency, SortDir, WinnerCriteria,
};
use serde_json::{Value, json};
use wiremock::matchers::query_param;

use super::{everything, ok, on, page, read, server, time};

/// A draft, as the live API sends them: empty texts where there is nothing yet.
fn draft() -> Value {
    json!({
        "id": "42694e9e57", "web_id": 8_031_785, "type": "regular",
        "create_time": "2026-06-30T12:00:00+00:00",
        "archive_url": "http://eepurl.com/xxxx", "long_archive_url": "",
        "status": "save", "emails_sent": 0, "send_time": "", "content_type": "template",
        "needs_block_refresh": false, "resendable": false,
        "recipients": { "list_id": "57afe96172", "list_is_active": true,
            "list_name": "Freddie's Jokes", "segment_text": "", "recipient_count": 0 },
        "settings": { "subject_line": "", "title": "Draft", "from_name": "Freddie",
            "reply_to": "freddie@example.net", "use_conversation": false, "to_name": "*|FNAME|*",
            "folder_id": "", "authenticate": true, "auto_footer": false, "inline_css": false,
            "auto_tweet": false, "fb_comments": true, "timewarp": false, "template_id": 0,
            "drag_and_drop": true },
        "tracking": { "opens": true, "html_clicks": true, "text_clicks": false,
            "goal_tracking": false, "ecomm360": false, "google_analytics": "", "clicktale": "" },
        "delivery_status": { "enabled": false }
    })
}

#[test]
fn a_draft_has_blanks_where_a_campaign_has_times_and_ids() {
    let draft: Campaign = read(&draft());
    assert!(draft.send_time.is_empty());
    assert_eq!(draft.status.value(), Some(&CampaignStatus::Save));
    assert_eq!(draft.kind.value(), Some(&CampaignKind::Regular));
    let settings = draft.settings.value().unwrap();
    assert!(settings.folder_id.is_empty());
    assert_eq!(settings.template_id.value(), Some(&0));
    assert!(draft.report_summary.is_absent());
    assert!(!format!("{draft:?}").contains("freddie"));
}

#[test]
fn a_campaign_can_be_a_test_a_feed_and_a_repetition() {
    let mut json = draft();
    json["status"] = json!("canceling");
    json["send_time"] = json!("2026-07-01T08:00:00+00:00");
    json["variate_settings"] = json!({
        "winning_combination_id": "c1", "winning_campaign_id": "", "winner_criteria": "opens",
        "wait_time": 60, "test_size": 100, "subject_lines": ["A", "B"],
        "send_times": ["2026-07-01T08:00:00+00:00"], "from_names": [], "reply_to_addresses": [],
        "contents": ["one"],
        "combinations": [{ "id": "c1", "subject_line": 1, "send_time": 0, "from_name": 0,
            "reply_to": 0, "content_description": 0, "recipients": 9 }] });
    json["rss_opts"] = json!({ "feed_url": "https://example.net/feed", "frequency": "weekly",
        "schedule": { "hour": 3, "daily_send": { "sunday": false, "monday": true },
            "weekly_send_day": "monday", "monthly_send_date": 0 },
        "last_sent": "", "constrain_rss_img": true });
    json["ab_split_opts"] = json!({ "split_test": "subject", "pick_winner": "manual",
        "wait_units": "hours", "wait_time": 2, "split_size": 20, "subject_a": "A",
        "send_time_winner": "" });
    json["report_summary"] = json!({ "opens": 22, "unique_opens": 9, "open_rate": 0.375,
        "clicks": 3, "subscriber_clicks": 2, "click_rate": 0.25,
        "ecommerce": { "total_orders": 1, "total_spent": 10.5, "total_revenue": 9 } });
    json["delivery_status"] = json!({ "enabled": true, "can_cancel": true,
        "status": "delivering", "emails_sent": 4, "emails_canceled": 0 });
    json["resend_shortcut_eligibility"] = json!({
        "to_non_openers": { "is_eligible": false, "reason": "too early" } });
    json["resend_shortcut_usage"] = json!({
        "shortcut_campaigns": [{ "id": "x", "web_id": 7, "shortcut_type": "non_clickers",
            "send_time": "", "status": "save" }],
        "original_campaign": { "id": "y", "web_id": 6, "title": "First",
            "shortcut_type": "non_clickers" } });
    let campaign: Campaign = read(&json);
    assert_eq!(campaign.status.value(), Some(&CampaignStatus::Canceling));
    let variate = campaign.variate_settings.value().unwrap();
    assert_eq!(
        variate.winner_criteria.value(),
        Some(&WinnerCriteria::Opens)
    );
    assert_eq!(variate.send_times.value().unwrap().len(), 1);
    assert_eq!(
        variate.combinations.value().unwrap()[0].recipients.value(),
        Some(&9)
    );
    let rss = campaign.rss_opts.value().unwrap();
    assert_eq!(rss.frequency.value(), Some(&RssFrequency::Weekly));
    assert!(rss.last_sent.is_empty());
    let schedule = rss.schedule.value().unwrap();
    assert_eq!(
        schedule.daily_send.value().unwrap().monday.value(),
        Some(&true)
    );
    let split = campaign.ab_split_opts.value().unwrap();
    assert_eq!(split.pick_winner.value(), Some(&WinnerCriteria::Manual));
    let summary = campaign.report_summary.value().unwrap();
    assert_eq!(summary.open_rate.value().unwrap().as_f64(), Some(0.375));
    assert_eq!(
        summary.ecommerce.value().unwrap().total_orders.value(),
        Some(&1)
    );
    let delivery = campaign.delivery_status.value().unwrap();
    assert_eq!(delivery.status.value(), Some(&DeliveryState::Delivering));
    let eligibility = campaign.resend_shortcut_eligibility.value().unwrap();
    assert_eq!(
        eligibility["to_non_openers"].is_eligible.value(),
        Some(&false)
    );
    let usage = campaign.resend_shortcut_usage.value().unwrap();
    let resent = &usage.shortcut_campaigns.value().unwrap()[0];
    assert_eq!(
        resent.shortcut_type.value(),
        Some(&ResendShortcut::NonClickers)
    );
}

#[tokio::test]
async fn campaigns_with_every_filter() {
    let (server, client) = server().await;
    on("GET", "/campaigns")
        .and(query_param("fields", "campaigns.id"))
        .and(query_param("type", "variate"))
        .and(query_param("status", "sent"))
        .and(query_param("before_send_time", "2026-01-01T00:00:04Z"))
        .and(query_param("since_send_time", "2026-01-01T00:00:03Z"))
        .and(query_param("before_create_time", "2026-01-01T00:00:02Z"))
        .and(query_param("since_create_time", "2026-01-01T00:00:01Z"))
        .and(query_param("list_id", "a"))
        .and(query_param("folder_id", "f"))
        .and(query_param("member_id", "k"))
        .and(query_param("sort_field", "send_time"))
        .and(query_param("sort_dir", "DESC"))
        .and(query_param("include_resend_shortcut_eligibility", "true"))
        .respond_with(ok(json!({ "campaigns": [draft()], "total_items": 1 })))
        .mount(&server)
        .await;
    let request = ListCampaigns {
        fields: vec!["campaigns.id".into()],
        kind: Some(CampaignKind::Variate),
        status: Some(CampaignStatus::Sent),
        before_send_time: Some(time("2026-01-01T00:00:04.9Z")),
        since_send_time: Some(time("2026-01-01T00:00:03Z")),
        before_create_time: Some(time("2026-01-01T00:00:02Z")),
        since_create_time: Some(time("2026-01-01T00:00:01Z")),
        list_id: Some("a".into()),
        folder_id: Some("f".into()),
        member_id: Some("k".into()),
        sort_field: Some(CampaignSort::SendTime),
        sort_dir: Some(SortDir::Descending),
        include_resend_shortcut_eligibility: Some(true),
        ..ListCampaigns::default()
    };
    let campaigns = client.campaigns();
    let listed = campaigns.list(&request).await.unwrap().into_value().items;
    assert_eq!(listed[0].id.as_str(), Some("42694e9e57"));
    let all: Vec<_> = campaigns
        .stream(&request)
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(all, listed);
}

#[tokio::test]
async fn one_campaign_its_text_and_what_colleagues_say() {
    let (server, client) = server().await;
    on("GET", "/campaigns/c")
        .and(query_param("include_resend_shortcut_usage", "true"))
        .and(query_param("include_resend_shortcut_eligibility", "false"))
        .respond_with(ok(draft()))
        .mount(&server)
        .await;
    on("GET", "/campaigns/c/content")
        .respond_with(ok(json!({
            "plain_text": "Hi", "html": "<p>Hi</p>", "archive_html": "<p>Hi</p>",
            "variate_contents": [{ "content_label": "one", "plain_text": "1", "html": "" }] })))
        .mount(&server)
        .await;
    let feedback = json!({ "feedback_id": 7, "parent_id": 0, "block_id": 3, "message": "No.",
        "is_complete": false, "created_by": "Freddie", "created_at": "2026-01-01T00:00:00+00:00",
        "updated_at": "", "source": "ios", "campaign_id": "c" });
    on("GET", "/campaigns/c/feedback")
        .and(query_param("count", "5"))
        .respond_with(ok(
            json!({ "feedback": [feedback], "campaign_id": "c", "total_items": 1 }),
        ))
        .mount(&server)
        .await;
    let campaigns = client.campaigns();
    let get = GetCampaign {
        include_resend_shortcut_usage: Some(true),
        include_resend_shortcut_eligibility: Some(false),
        ..GetCampaign::default()
    };
    let campaign = campaigns.get("c", &get).await.unwrap().into_value();
    assert_eq!(campaign.web_id.value(), Some(&8_031_785));
    let content = campaigns
        .content("c", &everything())
        .await
        .unwrap()
        .into_value();
    assert_eq!(content.html.as_str(), Some("<p>Hi</p>"));
    assert!(content.variate_contents.value().unwrap()[0].html.is_empty());
    let said = campaigns
        .feedback("c", &page(0))
        .await
        .unwrap()
        .into_value();
    assert_eq!(said.extra.get("campaign_id"), Some(&json!("c")));
    assert_eq!(
        said.items[0],
        serde_json::from_value(feedback.clone()).unwrap()
    );
    let said: CampaignFeedback = read(&feedback);
    assert_eq!(said.source.value(), Some(&FeedbackSource::Ios));
    assert!(said.updated_at.is_empty());
}

#[tokio::test]
async fn folders_of_campaigns_and_of_templates() {
    let (server, client) = server().await;
    for at in ["/campaign-folders", "/template-folders"] {
        let folder = json!({ "name": at, "id": "f", "count": 3 });
        on("GET", at)
            .and(query_param("offset", "10"))
            .respond_with(ok(json!({ "folders": [folder], "total_items": 11 })))
            .mount(&server)
            .await;
        on("GET", &format!("{at}/f"))
            .respond_with(ok(folder))
            .mount(&server)
            .await;
    }
    let campaigns = client.campaign_folders();
    let listed = campaigns.list(&page(10)).await.unwrap().into_value();
    assert_eq!(
        (listed.items[0].count.value(), listed.total_items),
        (Some(&3), Some(11))
    );
    assert_eq!(
        listed.items[0],
        campaigns.get("f", &everything()).await.unwrap().value
    );
    let templates = client.template_folders();
    let listed = templates.list(&page(10)).await.unwrap().into_value();
    assert_eq!(listed.items[0].name.as_str(), Some("/template-folders"));
    assert_eq!(
        listed.items[0],
        templates.get("f", &everything()).await.unwrap().value
    );
}

fn automation_email() -> Value {
    json!({
        "id": "e", "web_id": 9, "workflow_id": "w", "position": 1,
        "delay": { "amount": 1, "type": "day", "direction": "after", "action": "signup",
            "action_description": "subscribers join", "full_description": "1 day after" },
        "create_time": "2026-01-01T00:00:00+00:00", "start_time": "", "archive_url": "",
        "status": "paused", "emails_sent": 0, "send_time": "", "content_type": "drag_and_drop",
        "needs_block_refresh": false, "has_logo_merge_tag": true,
        "recipients": { "list_id": "a", "segment_opts": { "match": "any",
            "conditions": [{ "condition_type": "TextMerge" }] } },
        "settings": { "subject_line": "Hi", "template_id": 4, "auto_fb_post": [] },
        "tracking": { "opens": true, "salesforce": { "campaign": false, "notes": false },
            "capsule": { "notes": true } },
        "social_card": { "image_url": "", "description": "", "title": "" },
        "trigger_settings": { "workflow_type": "welcomeSeries", "workflow_title": "Welcome",
            "runtime": { "days": ["monday"], "hours": { "type": "send_asap" } },
            "workflow_emails_count": 2 },
        "report_summary": { "opens": 0, "open_rate": 0 }
    })
}

#[test]
fn a_mail_of_an_automation_is_read_and_written_back() {
    let email: AutomationEmail = read(&automation_email());
    assert_eq!(email.status.value(), Some(&AutomationStatus::Paused));
    assert!(email.start_time.is_empty() && email.send_time.is_empty());
    let trigger = email.trigger_settings.value().unwrap();
    let runtime = trigger.runtime.value().unwrap();
    assert_eq!(
        runtime.hours.value().unwrap().kind.as_str(),
        Some("send_asap")
    );
    let tracking = email.tracking.value().unwrap();
    assert_eq!(tracking.capsule.value().unwrap().notes.value(), Some(&true));
    let recipients = email.recipients.value().unwrap();
    let segment = recipients.segment_opts.value().unwrap();
    assert_eq!(segment.conditions.value().unwrap().len(), 1);
}

#[tokio::test]
async fn automations_with_every_filter_and_their_parts() {
    let (server, client) = server().await;
    let automation = json!({ "id": "w", "create_time": "2026-01-01T00:00:00+00:00",
        "start_time": "", "status": "save", "emails_sent": 0,
        "recipients": { "list_id": "a", "store_id": "s" }, "settings": { "title": "Welcome" },
        "tracking": {}, "trigger_settings": { "workflow_type": "abandonedCart" },
        "report_summary": {} });
    on("GET", "/automations")
        .and(query_param("before_create_time", "2026-01-01T00:00:02Z"))
        .and(query_param("since_create_time", "2026-01-01T00:00:01Z"))
        .and(query_param("before_start_time", "2026-01-01T00:00:04Z"))
        .and(query_param("since_start_time", "2026-01-01T00:00:03Z"))
        .and(query_param("status", "sending"))
        .respond_with(ok(json!({ "automations": [automation], "total_items": 1 })))
        .mount(&server)
        .await;
    on("GET", "/automations/w/emails")
        .respond_with(ok(
            json!({ "emails": [automation_email()], "total_items": 1 }),
        ))
        .mount(&server)
        .await;
    on("GET", "/automations/w/emails/e/queue")
        .respond_with(ok(
            json!({ "workflow_id": "w", "email_id": "e", "total_items": 1,
            "queue": [{ "id": "k", "next_send": "2026-01-01T00:00:00+00:00" }] }),
        ))
        .mount(&server)
        .await;
    on("GET", "/automations/w/removed-subscribers")
        .respond_with(ok(json!({ "workflow_id": "w", "total_items": 1,
            "subscribers": [{ "id": "k", "email_address": "freddie@example.net" }] })))
        .mount(&server)
        .await;
    let automations = client.automations();
    let request = ListAutomations {
        before_create_time: Some(time("2026-01-01T00:00:02Z")),
        since_create_time: Some(time("2026-01-01T00:00:01Z")),
        before_start_time: Some(time("2026-01-01T00:00:04Z")),
        since_start_time: Some(time("2026-01-01T00:00:03Z")),
        status: Some(AutomationStatus::Sending),
        ..ListAutomations::default()
    };
    let listed = automations.list(&request).await.unwrap().into_value();
    let first: Automation = read(&automation);
    assert!(first.start_time.is_empty());
    assert_eq!(listed.items[0].recipients, first.recipients);
    let emails = automations
        .emails("w", &page(0))
        .await
        .unwrap()
        .into_value();
    assert_eq!(emails.items[0].position.value(), Some(&1));
    let queue: Vec<_> = automations
        .queue_stream("w", "e", &page(0))
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(queue[0].id.as_str(), Some("k"));
    assert!(queue[0].next_send.value().is_some());
    let removed = automations
        .removed_subscribers("w", &page(0))
        .await
        .unwrap()
        .value;
    assert_eq!(
        removed.items[0].email_address.as_str(),
        Some("freddie@example.net")
    );
}

#[tokio::test]
async fn an_address_goes_into_a_path_as_its_hash() {
    let (server, client) = server().await;
    let hash = mailchimp_client::subscriber_hash(super::ADDRESS);
    let queued = format!("/automations/w/emails/e/queue/{hash}");
    let removed = format!("/automations/w/removed-subscribers/{hash}");
    for at in [queued, removed] {
        on("GET", &at)
            .respond_with(ok(json!({ "id": hash })))
            .expect(1)
            .mount(&server)
            .await;
    }
    let automations = client.automations();
    automations
        .queued("w", "e", super::ADDRESS, &everything())
        .await
        .unwrap();
    automations
        .removed_subscriber("w", super::ADDRESS, &everything())
        .await
        .unwrap();
}

#[tokio::test]
async fn conversations_and_their_messages() {
    let (server, client) = server().await;
    let message = json!({ "id": "m", "conversation_id": "v", "list_id": 193_501,
        "from_label": "Freddie", "from_email": "freddie@example.net", "subject": "Re: Hi",
        "message": "Hello", "read": false, "timestamp": "2026-01-01T00:00:00+00:00" });
    let conversation = json!({ "id": "v", "message_count": 1, "campaign_id": "c", "list_id": "a",
        "unread_messages": 1, "from_label": "Freddie", "from_email": "freddie@example.net",
        "subject": "Re: Hi", "last_message": { "message": "Hello", "read": false } });
    on("GET", "/conversations")
        .and(query_param("has_unread_messages", "true"))
        .and(query_param("list_id", "a"))
        .and(query_param("campaign_id", "c"))
        .respond_with(ok(
            json!({ "conversations": [conversation], "total_items": 1 }),
        ))
        .mount(&server)
        .await;
    on("GET", "/conversations/v/messages")
        .and(query_param("is_read", "false"))
        .and(query_param("before_timestamp", "2026-01-01T00:00:02Z"))
        .and(query_param("since_timestamp", "2026-01-01T00:00:01Z"))
        .respond_with(ok(
            json!({ "conversation_messages": [message], "total_items": 1 }),
        ))
        .mount(&server)
        .await;
    let request = ListConversations {
        has_unread_messages: Some(true),
        list_id: Some("a".into()),
        campaign_id: Some("c".into()),
        ..ListConversations::default()
    };
    let listed = client
        .conversations()
        .list(&request)
        .await
        .unwrap()
        .into_value();
    let last = listed.items[0].last_message.value().unwrap();
    assert!(last.id.is_absent());
    let request = ListMessages {
        is_read: Some(false),
        before_timestamp: Some(time("2026-01-01T00:00:02Z")),
        since_timestamp: Some(time("2026-01-01T00:00:01Z")),
        ..ListMessages::default()
    };
    let messages = client
        .conversations()
        .messages("v", &request)
        .await
        .unwrap()
        .value;
    assert_eq!(messages.items[0].list_id.value(), Some(&193_501));
    read::<Conversation>(&conversation);
    read::<ConversationMessage>(&message);
}
