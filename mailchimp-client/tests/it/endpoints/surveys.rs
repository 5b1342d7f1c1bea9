//! Landing pages, and figures of them and of surveys.

use futures::TryStreamExt;
use mailchimp_client::{
    Familiarity, LandingPage, LandingPageReport, LandingPageSort, LandingPageStatus, ListAnswers,
    ListLandingPages, ListResponses, MergeFieldType, QuestionKind, SortDir, SurveyAnswer,
    SurveyQuestion, SurveyReport, SurveyResponse, SurveyStatus,
};
use serde_json::{Value, json};
use wiremock::matchers::query_param;

use super::{everything, ok, on, page, read, server};

#[tokio::test]
async fn landing_pages_and_what_stands_on_them() {
    let (server, client) = server().await;
    let landing_page = json!({ "id": "p", "name": "Hats", "title": "Buy hats", "description": "",
        "template_id": 10_001, "status": "draft", "list_id": "a", "store_id": "", "web_id": 7,
        "created_by_source": "web", "url": "", "created_at": "2026-01-01T00:00:00+00:00",
        "published_at": "", "unpublished_at": "", "updated_at": "2026-01-02T00:00:00+00:00",
        "tracking": { "track_with_mailchimp": true,
            "enable_restricted_data_processing": false } });
    on("GET", "/landing-pages")
        .and(query_param("count", "5"))
        .and(query_param("sort_field", "updated_at"))
        .and(query_param("sort_dir", "DESC"))
        .respond_with(ok(
            json!({ "landing_pages": [landing_page], "total_items": 1 }),
        ))
        .mount(&server)
        .await;
    on("GET", "/landing-pages/p/content")
        .respond_with(ok(json!({ "html": "<p>Hi</p>", "json": "{}" })))
        .mount(&server)
        .await;
    let request = ListLandingPages {
        count: Some(5),
        sort_field: Some(LandingPageSort::UpdatedAt),
        sort_dir: Some(SortDir::Descending),
        ..ListLandingPages::default()
    };
    let pages = client.landing_pages();
    let listed = pages.list(&request).await.unwrap().into_value();
    assert!(listed.items[0].published_at.is_empty());
    let draft: LandingPage = read(&landing_page);
    assert_eq!(draft.status.value(), Some(&LandingPageStatus::Draft));
    let content = pages
        .content("p", &everything())
        .await
        .unwrap()
        .into_value();
    assert_eq!(content.json.as_str(), Some("{}"));
}

#[tokio::test]
async fn reports_of_landing_pages() {
    let (server, client) = server().await;
    let day = json!([{ "date": "2026-01-01", "val": 3 }]);
    let stats = json!({ "clicks": day, "visits": day, "unique_visits": [] });
    let report = json!({ "id": "p", "name": "Hats", "title": "Buy hats",
        "url": "https://example.net/p", "published_at": "2026-01-01T00:00:00+00:00",
        "unpublished_at": "", "status": "published", "list_id": "a", "visits": 3,
        "unique_visits": 2, "subscribes": 1, "clicks": 3, "conversion_rate": 0.5,
        "timeseries": { "daily_stats": stats, "weekly_stats": stats },
        "ecommerce": { "total_revenue": 0, "currency_code": "USD", "total_orders": 0,
            "average_order_revenue": 0 },
        "web_id": 7, "list_name": "Freddie's Jokes",
        "signup_tags": [{ "tag_id": 9, "tag_name": "hats" }] });
    on("GET", "/reporting/landing-pages")
        .and(query_param("offset", "5"))
        .respond_with(ok(json!({ "landing_pages": [report], "total_items": 6 })))
        .mount(&server)
        .await;
    on("GET", "/reporting/landing-pages/p")
        .respond_with(ok(report.clone()))
        .mount(&server)
        .await;
    let reporting = client.reporting();
    let listed = reporting
        .landing_pages(&page(5))
        .await
        .unwrap()
        .into_value();
    let one = reporting
        .landing_page("p", &everything())
        .await
        .unwrap()
        .into_value();
    assert_eq!(listed.items, [one]);
    let report: LandingPageReport = read(&report);
    let daily = report
        .timeseries
        .value()
        .unwrap()
        .daily_stats
        .value()
        .unwrap();
    assert_eq!(daily.visits.value().unwrap()[0].val.value(), Some(&3));
    assert_eq!(
        report.signup_tags.value().unwrap()[0].tag_id.value(),
        Some(&9)
    );
}

fn question() -> Value {
    json!({ "id": "q", "survey_id": "s", "query": "Which hat?", "type": "pickMany",
        "total_responses": 3, "is_required": true, "has_other": true, "other_label": "Other",
        "average_rating": "", "range_low_label": "", "range_high_label": "",
        "placeholder_label": "", "subscribe_checkbox_enabled": false,
        "subscribe_checkbox_label": "",
        "merge_field": { "id": 3, "label": "Hat", "type": "dropdown" },
        "options": [{ "label": "Red", "id": "o1", "count": 2 }],
        "contact_counts": { "known": 1, "unknown": 2, "new": 0 } })
}

fn response() -> Value {
    json!({ "response_id": "r", "submitted_at": "2026-01-01T00:00:00+00:00",
        "contact": { "email_id": "k", "contact_id": "c", "status": "Non-Subscribed",
            "email": "freddie@example.net", "phone": "", "full_name": "",
            "consents_to_one_to_one_messaging": true, "avatar_url": "" },
        "is_new_contact": false,
        "results": [{ "question_id": "q", "question_type": "pickMany", "query": "Which hat?",
            "answer": "Red" }] })
}

#[test]
fn questions_and_responses_are_read_and_written_back() {
    let question: SurveyQuestion = read(&question());
    assert_eq!(question.kind.value(), Some(&QuestionKind::PickMany));
    assert!(question.average_rating.is_empty());
    let merge_field = question.merge_field.value().unwrap();
    assert_eq!(merge_field.kind.value(), Some(&MergeFieldType::Dropdown));
    assert_eq!(
        question.contact_counts.value().unwrap().unknown.value(),
        Some(&2)
    );
    let response: SurveyResponse = read(&response());
    assert_eq!(
        response.contact.value().unwrap().status.as_str(),
        Some("Non-Subscribed")
    );
    assert_eq!(
        response.results.value().unwrap()[0].answer.as_str(),
        Some("Red")
    );
    assert!(!format!("{response:?}").contains("freddie"));
}

#[tokio::test]
async fn surveys_their_questions_and_who_answered() {
    let (server, client) = server().await;
    let survey = json!({ "id": "s", "web_id": 4, "list_id": "a", "list_name": "Freddie's Jokes",
        "title": "Hats", "url": "https://example.net/s", "status": "unpublished",
        "published_at": "", "created_at": "2026-01-01T00:00:00+00:00", "updated_at": "",
        "total_responses": 3 });
    let answer = json!({ "id": "x", "value": "Red", "response_id": "r",
        "submitted_at": "2026-01-01T00:00:00+00:00", "contact": null, "is_new_contact": true });
    let at = "/reporting/surveys";
    on("GET", at)
        .and(query_param("count", "5"))
        .respond_with(ok(json!({ "surveys": [survey], "total_items": 1 })))
        .mount(&server)
        .await;
    on("GET", &format!("{at}/s/questions"))
        .respond_with(ok(json!({ "questions": [question()], "total_items": 1 })))
        .mount(&server)
        .await;
    on("GET", &format!("{at}/s/questions/q/answers"))
        .and(query_param("respondent_familiarity_is", "new"))
        .respond_with(ok(json!({ "answers": [answer], "total_items": 1 })))
        .mount(&server)
        .await;
    on("GET", &format!("{at}/s/responses"))
        .and(query_param("answered_question", "12"))
        .and(query_param("chose_answer", "o1"))
        .and(query_param("respondent_familiarity_is", "known"))
        .respond_with(ok(
            json!({ "responses": [{ "response_id": "r" }], "total_items": 1 }),
        ))
        .mount(&server)
        .await;
    on("GET", &format!("{at}/s/responses/r"))
        .respond_with(ok(response()))
        .mount(&server)
        .await;
    let reporting = client.reporting();
    let surveys = reporting.surveys(&page(0)).await.unwrap().into_value();
    assert_eq!(surveys.items[0].total_responses.value(), Some(&3));
    let survey: SurveyReport = read(&survey);
    assert_eq!(survey.status.value(), Some(&SurveyStatus::Unpublished));
    let questions = reporting
        .questions("s", &page(0))
        .await
        .unwrap()
        .into_value();
    assert_eq!(
        questions.items[0].options.value().unwrap()[0].count.value(),
        Some(&2)
    );
    let request = ListAnswers {
        respondent_familiarity_is: Some(Familiarity::New),
        ..ListAnswers::default()
    };
    let answers = reporting
        .answers("s", "q", &request)
        .await
        .unwrap()
        .into_value();
    assert!(answers.items[0].contact.is_empty());
    read::<SurveyAnswer>(&answer);
    let request = ListResponses {
        answered_question: Some(12),
        chose_answer: Some("o1".into()),
        respondent_familiarity_is: Some(Familiarity::Known),
        ..ListResponses::default()
    };
    let responses: Vec<_> = reporting
        .responses_stream("s", &request)
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert!(responses[0].results.is_absent());
    let one = reporting
        .response("s", "r", &everything())
        .await
        .unwrap()
        .into_value();
    assert_eq!(one.results.value().unwrap().len(), 1);
}
