//! Every stream, by family.
//!
//! What is written here was taken from the vendor's description of its API, and corrected where real answers differ: dates
//! and numbers that come as strings, ids that are text whatever they look like. Collections whose paging is not documented
//! are read in pages all the same: a server that ignores `count` sends a short page, and one that heeds it is read to the end.

mod account;
mod audiences;
mod automations;
mod campaigns;
mod conversations;
mod ecommerce;
mod engagement;
mod facebook_ads;
mod files;
mod landing_pages;
mod lists;
mod members;
mod orders;
mod reports;
#[cfg(test)]
mod samples;
mod segments;
mod surveys;
mod templates;
#[cfg(test)]
mod tests;

use super::definition::StreamDefinition;

pub(super) use self::members::MEMBERS;

/// All streams but the members of audiences, which have a source of their own.
pub(super) static ALL: &[&[StreamDefinition]] = &[
    account::STREAMS,
    lists::STREAMS,
    segments::STREAMS,
    members::STREAMS,
    campaigns::STREAMS,
    reports::STREAMS,
    engagement::STREAMS,
    automations::STREAMS,
    templates::STREAMS,
    files::STREAMS,
    ecommerce::STREAMS,
    orders::STREAMS,
    landing_pages::STREAMS,
    surveys::STREAMS,
    facebook_ads::STREAMS,
    conversations::STREAMS,
    audiences::STREAMS,
];
