//! Errors in the API's `application/problem+json` form.

use serde_json::{Value, json};

/// An answer that is an error.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) status: u16,
    pub(crate) title: &'static str,
    pub(crate) detail: String,
    /// Field and message of each failed validation.
    pub(crate) errors: Vec<(String, String)>,
    /// Value of the `Allow` header of a 405.
    pub(crate) allow: Option<&'static str>,
}

impl Problem {
    pub(crate) fn new(status: u16, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            title,
            detail: detail.into(),
            errors: Vec::new(),
            allow: None,
        }
    }

    pub(crate) fn bad_request(detail: &str) -> Self {
        Self::new(400, "Bad Request", detail)
    }

    pub(crate) fn invalid_resource(detail: &str, errors: &[(&str, &str)]) -> Self {
        let errors = errors
            .iter()
            .map(|&(field, message)| (field.to_owned(), message.to_owned()))
            .collect();
        Self {
            errors,
            ..Self::new(400, "Invalid Resource", detail)
        }
    }

    /// A parameter with a value that is none of those there are.
    pub(crate) fn not_one_of(parameter: &str, values: &[&str]) -> Self {
        let message = format!("Value must be one of: {}", values.join(", "));
        let detail = "The resource submitted could not be validated.";
        Self::invalid_resource(detail, &[(parameter, &message)])
    }

    pub(crate) fn json_parse() -> Self {
        Self::new(
            400,
            "JSON Parse Error",
            "We encountered an unspecified JSON parsing error.",
        )
    }

    pub(crate) fn member_exists(address: &str) -> Self {
        let detail = format!(
            "{address} is already a list member. Use PUT to insert or update list members."
        );
        Self::new(400, "Member Exists", detail)
    }

    pub(crate) fn compliance(address: &str) -> Self {
        let detail = format!(
            "{address} is in a compliance state due to unsubscribe, bounce, or compliance review \
             and cannot be subscribed."
        );
        Self::new(400, "Member In Compliance State", detail)
    }

    pub(crate) fn forgotten(address: &str) -> Self {
        let detail = format!(
            "{address} was permanently deleted and cannot be re-imported. The contact must \
             re-subscribe to get back on the list."
        );
        Self::new(400, "Forgotten Email Not Subscribed", detail)
    }

    pub(crate) fn not_found() -> Self {
        Self::new(
            404,
            "Resource Not Found",
            "The requested resource could not be found.",
        )
    }

    pub(crate) fn forbidden() -> Self {
        Self::new(
            403,
            "Forbidden",
            "You are not permitted to access this resource.",
        )
    }

    pub(crate) fn not_archivable() -> Self {
        Self::new(
            405,
            "Method Not Allowed",
            "This list member cannot be removed. Can not archive a contact that is bounced, \
             pending or archived",
        )
    }

    pub(crate) fn method_not_allowed(allow: &'static str) -> Self {
        let detail = format!(
            "The requested method and resource are not compatible. See the Allow header for this \
             resource's available methods: {allow}"
        );
        Self {
            allow: Some(allow),
            ..Self::new(405, "Method Not Allowed", detail)
        }
    }

    pub(crate) fn key_invalid() -> Self {
        Self::new(
            401,
            "API Key Invalid",
            "Your API key may be invalid, or you've attempted to access the wrong datacenter.",
        )
    }

    pub(crate) fn key_missing() -> Self {
        Self::new(
            401,
            "API Key Missing",
            "Your request did not include an API key.",
        )
    }

    pub(crate) fn too_many_requests() -> Self {
        Self::new(
            429,
            "Too Many Requests",
            "You have exceeded the limit of 10 simultaneous connections.",
        )
    }

    pub(crate) fn internal() -> Self {
        Self::new(
            500,
            "Internal Server Error",
            "A deep internal error has occurred during the processing of your request.",
        )
    }

    /// The error that the header `X-Trigger-Error` asks for by its name in the glossary, written without spaces.
    pub(crate) fn triggered(name: &str) -> Option<Self> {
        Some(match name {
            "BadRequest" => Self::bad_request("Your request could not be processed."),
            "InvalidAction" => Self::new(
                400,
                "Invalid Action",
                "The action requested was not valid for this resource.",
            ),
            "InvalidResource" => {
                Self::invalid_resource("The resource submitted could not be validated.", &[])
            }
            "JSONParseException" | "JSONParseError" => Self::json_parse(),
            "APIKeyMissing" => Self::key_missing(),
            "APIKeyInvalid" => Self::key_invalid(),
            "Forbidden" => Self::forbidden(),
            "UserDisabled" => Self::new(403, "User Disabled", "This account has been deactivated."),
            "WrongDatacenter" => Self::new(
                403,
                "Wrong Datacenter",
                "The API key provided is linked to a different data center.",
            ),
            "ResourceNotFound" => Self::not_found(),
            "MethodNotAllowed" => Self::method_not_allowed("GET"),
            "ResourceNestingTooDeep" => Self::new(
                414,
                "Resource Nesting Too Deep",
                "The sub-resource requested is nested too deeply.",
            ),
            "InvalidMethodOverride" => Self::method_override(),
            "TooManyRequests" => Self::too_many_requests(),
            "InternalServerError" => Self::internal(),
            "ComplianceRelated" => Self::new(
                500,
                "Compliance Related",
                "The account needs a compliance review.",
            ),
            _ => return None,
        })
    }

    pub(crate) fn method_override() -> Self {
        Self::new(
            422,
            "Invalid Method Override",
            "The X-HTTP-Method-Override header is only allowed on POST requests.",
        )
    }

    /// The body; `instance` is the request id of the answer's headers.
    pub(crate) fn body(&self, instance: &str) -> Value {
        let mut body = json!({
            "type": "https://mailchimp.com/developer/marketing/docs/errors/",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
        });
        if !self.errors.is_empty() {
            body["errors"] = self
                .errors
                .iter()
                .map(|(field, message)| json!({"field": field, "message": message}))
                .collect();
        }
        body
    }
}
