//! Turns a failed request to the hub into an error that says what to do.

use crate::assets::AssetError;
use crate::assets::error::HubFailure;
use crate::assets::http::HttpFailure;
use crate::error::Error;

/// The error of a request for `what` to the hub at `endpoint`.
pub(super) fn hub_error(endpoint: &str, what: &str, failure: HttpFailure) -> Error {
    let why = match &failure {
        HttpFailure::Interrupted(interrupted) => return (*interrupted).into(),
        HttpFailure::Status(401 | 403) => HubFailure::Refused,
        HttpFailure::Status(404 | 410) => HubFailure::Missing,
        HttpFailure::Status(429 | 503) => HubFailure::Busy,
        HttpFailure::Network(_) => HubFailure::NoNetwork,
        HttpFailure::Body(_) => HubFailure::Broken,
        _ => HubFailure::Other,
    };
    let (what, endpoint) = (what.to_owned(), endpoint.to_owned());
    AssetError::Hub { what, endpoint, why, source: Box::new(failure) }.into()
}

/// Whether the hub itself can't serve now, so that what was fetched before may do.
pub(super) fn is_hub_down(failure: &HttpFailure) -> bool {
    matches!(failure, HttpFailure::Network(_) | HttpFailure::Body(_) | HttpFailure::Status(429 | 500..=599))
}
