//! Owns the switches that change how the clouds answer, for points the vendors leave open or get
//! wrong. Must not be known here: how an answer is made.

use crate::calls::Operation;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Switches of the fake cloud; the defaults are what is known or thought to be the real behaviour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches, each named where it is set"
)]
pub struct Options {
    /// Seconds by which the clouds' clock is ahead of the machine's.
    pub clock_offset_s: i64,
    /// A Huawei access key is locked for five minutes after more failures in a row than this; null for never.
    pub lock_after_failures: Option<u32>,
    /// Life of tokens that IAM gives out.
    pub token_ttl_s: i64,
    /// Operations for which the caller has no permission.
    pub denied: BTreeSet<Operation>,
    /// The largest page a list gives, whatever was asked for.
    pub max_page_size: Option<u64>,
    /// How lists lie.
    pub list_lie: ListLie,
    /// Adds a member no document knows to every image.
    pub unknown_fields: bool,
    /// What `ModelArts` answers for an image that does not exist.
    pub modelarts_not_found: ModelArtsNotFound,
    /// The case of `arch` in notebook images.
    pub arch: ArchCase,
    /// The first page's number in `current`.
    pub current_base: PageBase,
    /// What `size` of a `ModelArts` page says.
    pub page_size_field: PageSizeField,
    /// The shape of IAM's error bodies.
    pub iam_errors: IamErrorShape,
    /// Status of PAI's answer for an image that does not exist.
    pub pai_not_found_status: u16,
    /// Code of PAI's answer for an image that does not exist.
    pub pai_not_found_code: String,
    /// Ends PAI's texts in a line feed, as the documented example does.
    pub pai_line_feeds: bool,
    /// PAI's errors as XML.
    pub pai_xml_errors: bool,
    /// PAI's errors with lower-case initials.
    pub pai_lower_case_errors: bool,
    /// `GetImage` echoes `ImageId`.
    pub pai_echo_image_id: bool,
    /// Status of PAI's throttling: 400 or 429.
    pub pai_throttle_status: u16,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            clock_offset_s: 0,
            lock_after_failures: Some(5),
            token_ttl_s: 86_400,
            denied: BTreeSet::new(),
            max_page_size: None,
            list_lie: ListLie::None,
            unknown_fields: false,
            modelarts_not_found: ModelArtsNotFound::BadRequest,
            arch: ArchCase::Stored,
            current_base: PageBase::Zero,
            page_size_field: PageSizeField::Requested,
            iam_errors: IamErrorShape::Keystone,
            pai_not_found_status: 404,
            // The real code is not on record. AIWorkSpace's own codes are numeric text like this one.
            pai_not_found_code: "100800404".to_owned(),
            pai_line_feeds: false,
            pai_xml_errors: false,
            pai_lower_case_errors: false,
            pai_echo_image_id: false,
            pai_throttle_status: 400,
        }
    }
}

/// How lists lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListLie {
    /// They do not.
    None,
    /// The same full page again and again, with a total that is never reached.
    RepeatPage,
    /// From the second page on, the first item is gone and the others have moved up.
    Shrink,
    /// A total far above the number of items there are.
    TotalTooLarge,
}

/// What `ModelArts` answers for an image that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelArtsNotFound {
    /// 400 and `ModelArts.6404`, as seen.
    BadRequest,
    /// 404 and `ModelArts.6404`, as the status tables say.
    NotFound,
}

/// The case of `arch` in notebook images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArchCase {
    /// As stored: lower case in all images that are there from the start.
    Stored,
    /// Upper case, as documented.
    Upper,
}

/// The first page's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PageBase {
    /// 0.
    Zero,
    /// 1.
    One,
}

/// What `size` of a page says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PageSizeField {
    /// The page size that holds.
    Requested,
    /// The number of records in the page.
    Returned,
}

/// The shape of IAM's error bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IamErrorShape {
    /// `{"error": {"code", "message", "title"}}`.
    Keystone,
    /// `{"error_code", "error_msg"}`.
    Code,
}
