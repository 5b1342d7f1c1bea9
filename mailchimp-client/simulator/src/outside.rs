//! What is at the same address and no part of the API: batch results, stored files, exports, and the login host.

use bytes::Bytes;
use http::{HeaderValue, Method, Response, header};

use crate::account::Account;
use crate::incoming::RequestInfo;
use crate::query::Query;
use crate::render::JSON;
use crate::simulator::Context;
use crate::{batches, credential, exports, files, oauth};

/// One of the places outside.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place<'a> {
    BatchResults(&'a str),
    File(&'a str),
    Export(&'a str),
    OAuthMetadata,
}

impl<'a> Place<'a> {
    pub(crate) fn at(path: &'a str) -> Option<Self> {
        if path == oauth::METADATA {
            return Some(Self::OAuthMetadata);
        }
        None.or_else(|| path.strip_prefix(batches::RESULTS).map(Self::BatchResults))
            .or_else(|| path.strip_prefix(files::HOST).map(Self::File))
            .or_else(|| path.strip_prefix(exports::HOST).map(Self::Export))
    }

    /// How rules and statistics name it.
    fn template(self) -> &'static str {
        match self {
            Self::BatchResults(_) => batches::RESULTS_TEMPLATE,
            Self::File(_) => files::HOST_TEMPLATE,
            Self::Export(_) => exports::HOST_TEMPLATE,
            Self::OAuthMetadata => oauth::METADATA,
        }
    }

    pub(crate) fn info(self, number: u64, parts: &http::request::Parts) -> RequestInfo {
        RequestInfo {
            number,
            method: parts.method.clone(),
            template: self.template(),
            path: parts.uri.path().to_owned(),
            query: Query::parse(parts.uri.query().unwrap_or(""))
                .pairs()
                .to_vec(),
            count: None,
        }
    }

    pub(crate) fn response(
        self,
        account: &Account,
        context: &Context<'_>,
        parts: &http::request::Parts,
    ) -> Response<Bytes> {
        let query = Query::parse(parts.uri.query().unwrap_or(""));
        let headers = &parts.headers;
        match self {
            Self::BatchResults(file) => {
                batches::result(account, file, &query, headers, context.now)
            }
            Self::File(id) => files::download(account, id, &parts.method, headers),
            Self::Export(file) => exports::download(account, context, file, headers),
            Self::OAuthMetadata => {
                let given = credential::Given::read(headers, &Method::GET, &query);
                let valid = given.check(&context.settings.api_key).is_ok();
                let body = oauth::metadata(valid, context.settings, context.origin);
                let mut response = Response::new(Bytes::from(body.to_string()));
                let headers = response.headers_mut();
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
                response
            }
        }
    }
}
