//! Reports of surveys.

use serde_json::Number;

use crate::field::Timestamp;
use crate::lists::MergeFieldType;
use crate::open_enum::open_enum;
use crate::record::record;

open_enum! {
    /// Whether a survey can be answered.
    SurveyStatus {
        /// It can.
        Published = "published",
        /// It could.
        Unpublished = "unpublished",
    }
}

record! {
    /// The report of a survey.
    SurveyReport {
        /// Id of the survey.
        id: String,
        /// Id in the web application.
        web_id: u64,
        /// The audience.
        list_id: String,
        /// Name of the audience.
        list_name: String,
        /// Title.
        title: String,
        /// Where it is.
        url: String,
        /// Whether it can be answered.
        status: SurveyStatus,
        /// When it was published.
        published_at: Timestamp,
        /// When it was made.
        created_at: Timestamp,
        /// When it was last changed.
        updated_at: Timestamp,
        /// Responses.
        total_responses: u64,
    }
}

open_enum! {
    /// How a question is answered.
    QuestionKind {
        /// By choosing one.
        PickOne = "pickOne",
        /// By choosing any number.
        PickMany = "pickMany",
        /// By a number.
        Range = "range",
        /// By words.
        Text = "text",
        /// By an address.
        Email = "email",
    }
}

record! {
    /// A question of a survey. Members that do not concern its kind are absent.
    SurveyQuestion {
        /// Id of the question.
        id: String,
        /// The survey.
        survey_id: String,
        /// The question.
        query: String,
        /// How it is answered.
        #[serde(rename = "type")]
        kind: QuestionKind,
        /// Answers.
        total_responses: u64,
        /// Whether it has to be answered.
        is_required: bool,
        /// Whether words can be given in place of an option.
        has_other: bool,
        /// What stands before these words.
        other_label: String,
        /// Average of a range.
        average_rating: Number,
        /// Word for the low end of a range.
        range_low_label: String,
        /// Word for the high end of a range.
        range_high_label: String,
        /// What stands in an empty answer.
        placeholder_label: String,
        /// Whether an address can be signed up.
        subscribe_checkbox_enabled: bool,
        /// What stands beside that.
        subscribe_checkbox_label: String,
        /// The merge field the answer is kept in.
        merge_field: SurveyMergeField,
        /// What can be chosen.
        options: Vec<SurveyOption>,
        /// Who gave an address.
        contact_counts: ContactCounts,
    }
}

record! {
    /// The merge field an answer is kept in.
    SurveyMergeField {
        /// Its `merge_id`.
        id: u64,
        /// Its label.
        label: String,
        /// Its type.
        #[serde(rename = "type")]
        kind: MergeFieldType,
    }
}

record! {
    /// An option of a question.
    SurveyOption {
        /// Its words.
        label: String,
        /// Id of the option.
        id: String,
        /// How often it was chosen.
        count: u64,
    }
}

record! {
    /// Who gave an address.
    ContactCounts {
        /// Members from before.
        known: u64,
        /// People who are no members.
        unknown: u64,
        /// People who became members by the survey.
        new: u64,
    }
}

open_enum! {
    /// How well a respondent is known.
    Familiarity {
        /// Became a member by the survey.
        New = "new",
        /// Was a member before.
        Known = "known",
        /// Is no member.
        Unknown = "unknown",
    }
}

record! {
    /// An answer to a question.
    SurveyAnswer {
        /// Id of the answer.
        id: String,
        /// The answer.
        value: String,
        /// The response it is part of.
        response_id: String,
        /// When it was given.
        submitted_at: Timestamp,
        /// Who gave it; absent or empty when unknown.
        contact: SurveyContact,
        /// Whether the respondent became a member by the survey.
        is_new_contact: bool,
    }
}

record! {
    /// A response to a survey.
    SurveyResponse {
        /// Id of the response.
        response_id: String,
        /// When it was given.
        submitted_at: Timestamp,
        /// Who gave it; absent or empty when unknown.
        contact: SurveyContact,
        /// Whether the respondent became a member by the survey.
        is_new_contact: bool,
        /// The answers; only when one response is asked for.
        results: Vec<SurveyResult>,
    }
}

record! {
    /// Who answered a survey.
    SurveyContact {
        /// MD5 of the lower-cased address.
        email_id: String,
        /// Identifies the person in this audience, also when the address changes.
        contact_id: String,
        /// Status now, in words of its own: `Subscribed`, `Non-Subscribed` and so on.
        status: String,
        /// The address.
        email: String,
        /// Telephone number.
        phone: String,
        /// Name.
        full_name: String,
        /// Whether the person consents to one-to-one messages.
        consents_to_one_to_one_messaging: bool,
        /// Address of a picture.
        avatar_url: String,
    }
}

record! {
    /// An answer within a response.
    SurveyResult {
        /// The question.
        question_id: String,
        /// How it is answered.
        question_type: QuestionKind,
        /// Its words.
        query: String,
        /// The answer.
        answer: String,
    }
}
