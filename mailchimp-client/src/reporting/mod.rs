//! `/reporting`: figures of landing pages and surveys.

mod landing_pages;
mod surveys;

use crate::client::Client;
use crate::endpoint::{collection, list_request, object};
use crate::error::Result;
use crate::fetched::Fetched;
use crate::paging::PageRequest;
use crate::path::Path;
use crate::query::FieldSelection;

pub use landing_pages::{
    DayCount, LandingPageEcommerce, LandingPageReport, LandingPageTimeseries, SignupTag,
    VisitCounts,
};
pub use surveys::{
    ContactCounts, Familiarity, QuestionKind, SurveyAnswer, SurveyContact, SurveyMergeField,
    SurveyOption, SurveyQuestion, SurveyReport, SurveyResponse, SurveyResult, SurveyStatus,
};

/// Figures of landing pages and surveys; made by [`Client::reporting`].
#[derive(Debug, Clone)]
pub struct Reporting {
    client: Client,
}

impl Reporting {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    collection! {
        "/reporting/landing-pages",
        "landing_pages": LandingPageReport, PageRequest,
        /// One page of reports of landing pages.
        page landing_pages,
        /// All reports of landing pages.
        stream landing_pages_stream,
    }

    object! {
        "/reporting/landing-pages/{outreach_id}" (outreach_id: &str): LandingPageReport,
        /// The report of one landing page.
        landing_page
    }

    collection! {
        "/reporting/surveys",
        "surveys": SurveyReport, PageRequest,
        /// One page of reports of surveys.
        page surveys,
        /// All reports of surveys.
        stream surveys_stream,
    }

    object! {
        "/reporting/surveys/{survey_id}" (survey_id: &str): SurveyReport,
        /// The report of one survey.
        survey
    }

    collection! {
        "/reporting/surveys/{survey_id}/questions" (survey_id: &str),
        "questions": SurveyQuestion, PageRequest,
        /// The questions of a survey. Pages are not documented here.
        page questions,
        /// All questions of a survey.
        stream questions_stream,
    }

    object! {
        "/reporting/surveys/{survey_id}/questions/{question_id}"
            (survey_id: &str, question_id: &str): SurveyQuestion,
        /// One question.
        question
    }

    collection! {
        "/reporting/surveys/{survey_id}/questions/{question_id}/answers"
            (survey_id: &str, question_id: &str),
        "answers": SurveyAnswer, ListAnswers,
        /// The answers to a question. Pages are not documented here, although there can be many.
        page answers,
        /// All answers to a question.
        stream answers_stream,
    }

    collection! {
        "/reporting/surveys/{survey_id}/responses" (survey_id: &str),
        "responses": SurveyResponse, ListResponses,
        /// Who answered a survey. Pages are not documented here, although there can be many.
        page responses,
        /// All who answered a survey.
        stream responses_stream,
    }

    /// One response, with all its answers.
    pub async fn response(
        &self,
        survey_id: &str,
        response_id: &str,
        request: &FieldSelection,
    ) -> Result<Fetched<SurveyResponse>> {
        const ONE: &str = "/reporting/surveys/{survey_id}/responses/{response_id}";
        let path = Path::new(ONE, &[survey_id, response_id])?;
        self.client.get(&path, &request.query()?).await
    }
}

list_request! {
    /// Filters and page of [`Reporting::answers`].
    ListAnswers {
        /// Only answers of such people.
        respondent_familiarity_is: Familiarity,
    }
}

list_request! {
    /// Filters and page of [`Reporting::responses`].
    ListResponses {
        /// Only responses that answer this question.
        answered_question: u64,
        /// Only responses that chose this option.
        chose_answer: String,
        /// Only responses of such people.
        respondent_familiarity_is: Familiarity,
    }
}
