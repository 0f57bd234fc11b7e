//! Owns the switches that change how the clouds answer, for points the vendors leave open or get
//! wrong. Must not be known here: how an answer is made.

use crate::calls::Operation;
use crate::defaults;
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
    /// What faults that hit by chance roll their dice from.
    pub chance_seed: u64,
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
    /// Life of every temporary key and of keys of the metadata services, whatever was asked for; null for as asked.
    pub temporary_ttl_s: Option<i64>,
    /// Member names of Huawei Cloud's temporary keys.
    pub key_names: KeyNames,
    /// What Huawei Cloud's temporary keys are wrapped in.
    pub key_envelope: KeyEnvelope,
    /// The region that `V11-HMAC-SHA256` must name; null for any.
    pub v11_region: Option<String>,
    /// The service that `V11-HMAC-SHA256` must name; null for any.
    pub v11_service: Option<String>,
    /// IAM's list of domains has the caller's; without it only `caller-identity` tells the account.
    pub domains_listed: bool,
    /// Tokens of Huawei Cloud's metadata service.
    pub metadata_token: MetadataToken,
    /// The instance has an agency; without one its metadata service refuses keys.
    pub metadata_agency: bool,
    /// Path of the pod identity endpoint.
    pub pod_identity_path: String,
    /// Tokens of Alibaba Cloud's ECS metadata service.
    pub ecs_metadata: EcsMetadata,
    /// The role of the ECS instance; empty for none.
    pub ecs_role: String,
    /// Path of the credentials URI.
    pub credentials_uri_path: String,
    /// Alibaba Cloud's STS takes an `OIDCToken` in the URL, where logs would keep it.
    pub sts_token_in_query: bool,
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
    /// Life of temporary logins of registries, in seconds.
    pub registry_login_ttl_s: i64,
    /// The registry that SWR gives logins for.
    pub swr_host: String,
    /// SWR says when a login ends.
    pub swr_expireat: bool,
    /// The instance of Container Registry.
    pub acr_instance: String,
    /// The hosts of that instance.
    pub acr_domains: Vec<String>,
    /// Container Registry's own refusals come as 200 with `IsSuccess` false.
    pub acr_failures_as_success: bool,
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
            chance_seed: 0,
            unknown_fields: false,
            modelarts_not_found: ModelArtsNotFound::BadRequest,
            arch: ArchCase::Stored,
            current_base: PageBase::Zero,
            page_size_field: PageSizeField::Requested,
            iam_errors: IamErrorShape::Keystone,
            temporary_ttl_s: None,
            key_names: KeyNames::Vendor,
            key_envelope: KeyEnvelope::Vendor,
            v11_region: None,
            v11_service: None,
            domains_listed: true,
            metadata_token: MetadataToken::Optional,
            metadata_agency: true,
            pod_identity_path: "/pod-identity/credentials".to_owned(),
            ecs_metadata: EcsMetadata::Hardened,
            ecs_role: defaults::ALIBABA_ROLE.to_owned(),
            credentials_uri_path: "/credentials-uri".to_owned(),
            sts_token_in_query: false,
            pai_not_found_status: 404,
            // The real code is not on record. AIWorkSpace's own codes are numeric text like this one.
            pai_not_found_code: "100800404".to_owned(),
            pai_line_feeds: false,
            pai_xml_errors: false,
            pai_lower_case_errors: false,
            pai_echo_image_id: false,
            pai_throttle_status: 400,
            registry_login_ttl_s: 3600,
            swr_host: defaults::SWR_HOST.to_owned(),
            swr_expireat: true,
            acr_instance: defaults::ACR_INSTANCE.to_owned(),
            acr_domains: vec![defaults::ACR_HOST.to_owned()],
            acr_failures_as_success: false,
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
    /// After all that there is, full pages of images that are not there, each with a total of one page more.
    Endless,
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

/// Member names of a temporary key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyNames {
    /// As each service has them: `Snake` at STS, `Short` elsewhere.
    Vendor,
    /// `access`, `secret`, `securitytoken`, `expires_at`.
    Short,
    /// `accessKeyId`, `secretAccessKey`, `securityToken`, `expiration`.
    Camel,
    /// `access_key_id`, `secret_access_key`, `security_token`, `expiration`.
    Snake,
}

/// What a temporary key is wrapped in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyEnvelope {
    /// As each service has it: `Credentials` at STS, `Credential` elsewhere.
    Vendor,
    /// `{"credential": {…}}`.
    Credential,
    /// `{"credentials": {…}}`.
    Credentials,
    /// Nothing.
    None,
}

/// Tokens of Huawei Cloud's metadata service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MetadataToken {
    /// No key without a token.
    Required,
    /// Tokens are given, and checked if sent.
    Optional,
    /// No token mode: 404.
    #[serde(rename = "off-404")]
    Off404,
    /// No token mode: 405.
    #[serde(rename = "off-405")]
    Off405,
    /// No token mode for now: 503.
    #[serde(rename = "off-503")]
    Off503,
}

/// Tokens of Alibaba Cloud's ECS metadata service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EcsMetadata {
    /// No key without a token.
    Hardened,
    /// Tokens are given, and checked if sent.
    V1Allowed,
    /// No tokens: 404.
    V1Only,
}
