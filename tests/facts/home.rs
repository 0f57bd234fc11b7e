//! The home table: every field and value of the four documents, and where it goes.
//!
//! Owns the table, written by hand from the documents. Must not know how facts are made. The
//! invariant that would break first: a field without a home has a reason.

use Home::{None, Normal, Status};
use imageref::facts::Api;

/// Where in a document a field stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Path,
    Query,
    Page,
    Answer,
    Error,
}

/// How a field is written on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Words,
    Natural,
    Millis,
    Iso,
    LabelKey,
    LabelValue,
    /// The id in the path of a get.
    Asked,
    /// Without a home.
    Unread,
}

/// Where a field goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Home {
    /// There, as it came but for surrounding white space.
    Status(&'static str),
    /// There, in our normal form.
    Normal(&'static str),
    /// Nowhere, for this reason.
    None(&'static str),
}

/// One field; `values` are the documented ones with their normal form.
pub(super) struct Row {
    pub(super) part: Part,
    pub(super) field: &'static str,
    pub(super) kind: Kind,
    pub(super) homes: &'static [Home],
    pub(super) values: &'static [(&'static str, &'static str)],
}

/// One document.
pub(super) struct Document {
    pub(super) title: &'static str,
    pub(super) operation: &'static str,
    pub(super) api: Api,
    pub(super) rows: &'static [&'static [Row]],
    /// What the status says although the document has no field for it.
    pub(super) derived: &'static [(&'static str, &'static str)],
}

impl Document {
    pub(super) fn rows(&self) -> impl Iterator<Item = &'static Row> {
        self.rows.iter().flat_map(|rows| rows.iter())
    }
}

// One line a field: part, name, kind on the wire, homes, and the documented values, each with its
// normal form where that is another word.
macro_rules! rows {
    ($($part:ident $field:literal $kind:ident => [$($home:expr),+]
        $({$($value:literal $(= $normal:literal)?),+})?;)+) => {
        &[$(Row {
            part: Part::$part,
            field: $field,
            kind: Kind::$kind,
            homes: &[$($home),+],
            values: &[$($(value!($value $(= $normal)?)),+)?],
        }),+]
    };
}

macro_rules! value {
    ($value:literal) => {
        ($value, $value)
    };
    ($value:literal = $normal:literal) => {
        ($value, $normal)
    };
}

const PROJECT: Home = None("part of the request: set on the provider");
const PAGING: Home = None("drives the reading of pages");
const FILTER: Home = None("part of the request: narrows the list, the facts come from the answer");
const COUNTER: Home =
    None("not read: base and meaning differ between documents, paging goes by offset and `total`");
const FAILURE: Home = None("not a fact: decides the failure class and the text of conditions");
const PROSE: Home = None("prose, kept by the platform: another wording is not another image");
const PERSON: Home = None("personal data: names an account, says nothing about the image");
const ONLY_GET: Home =
    None("means the same as `resource_categories`, but lists lack it: get and list must agree");

const ANSWERED: (&str, &str) = ("upstream.api", "which of the APIs answered");
const HEADER: (&str, &str) = (
    "upstream.requestID",
    "from the response header `X-Request-Id`",
);
const ALWAYS_ACTIVE: (&str, &str) = (
    "status",
    "always `ACTIVE`: PAI has no status, an image that can be read can be used",
);

const REQUEST_BY_ID: &[Row] = rows! {
    Path "id" Asked => [Status("imageID")];
    Path "project_id" Unread => [PROJECT];
};

/// The fields that both answers about notebook images document alike.
const NOTEBOOK: &[Row] = rows! {
    Answer "arch" Text => [Normal("arch"), Status("upstream.arch")]
        {"X86_64" = "amd64", "AARCH64" = "arm64"};
    Answer "create_at" Millis => [Normal("upstreamCreatedTime")];
    Answer "description" Unread => [PROSE];
    Answer "dev_services" Words => [Status("upstream.devServices")] {"NOTEBOOK", "SSH"};
    Answer "id" Text => [Status("imageID")];
    Answer "name" Text => [Status("upstream.name")];
    Answer "namespace" Text => [Status("upstream.organization")];
    Answer "origin" Text => [Status("upstream.origin")] {"CUSTOMIZE", "IMAGE_SAVE"};
    Answer "service_type" Text => [Status("upstream.serviceType")]
        {"COMMON", "INFERENCE", "TRAIN", "DEV", "UNKNOWN"};
    Answer "size" Natural => [Status("sizeBytes")];
    Answer "status" Text => [Normal("status"), Status("upstream.status")]
        {"INIT", "CREATING", "CREATE_FAILED", "ERROR", "DELETED", "ACTIVE"};
    Answer "status_message" Text => [Status("upstream.statusMessage")];
    Answer "swr_path" Text => [Status("swrPath"), Status("image")];
    Answer "tag" Text => [Status("upstream.tag")];
    Answer "type" Text => [Status("upstream.type")] {"BUILD_IN", "DEDICATED"};
    Answer "update_at" Millis => [Normal("upstreamUpdatedTime")];
    Answer "visibility" Text => [Status("upstream.visibility")] {"PRIVATE", "PUBLIC"};
    Answer "workspace_id" Text => [Status("upstream.workspaceId")];
};

const SHOW_ONLY: &[Row] = rows! {
    Answer "resource_categories" Words => [Normal("accelerators")] {"CPU", "GPU"};
    Answer "support_res_categories" Unread => [ONLY_GET] {"CPU", "GPU"};
};

const LIST_ONLY: &[Row] = rows! {
    Answer "resource_categories" Words => [Normal("accelerators")] {"CPU", "GPU", "ASCEND"};
    Answer "flavor_type" Text => [Status("upstream.flavorType")]
        {"ASCEND_SNT9", "ASCEND_SNT9B", "ASCEND_SNT3"};
};

const LIST_REQUEST: &[Row] = rows! {
    Path "project_id" Unread => [PROJECT];
    Query "limit" Unread => [PAGING];
    Query "name" Unread => [FILTER];
    Query "name_fuzzy_match" Unread => [FILTER] {"true", "false"};
    Query "namespace" Unread => [FILTER];
    Query "offset" Unread => [PAGING];
    Query "service_type" Unread => [FILTER] {"COMMON", "INFERENCE", "TRAIN", "DEV", "UNKNOWN"};
    Query "sort_dir" Unread => [PAGING] {"ASC", "DESC"};
    Query "sort_key" Unread => [PAGING];
    Query "type" Unread => [FILTER] {"BUILD_IN", "DEDICATED"};
    Query "workspace_id" Unread => [FILTER];
};

const LIST_PAGE: &[Row] = rows! {
    Page "current" Unread => [COUNTER];
    Page "data" Unread => [None("the list itself: each entry has the fields below")];
    Page "pages" Unread => [COUNTER];
    Page "size" Unread => [COUNTER];
    Page "total" Unread => [PAGING];
};

const ERROR: &[Row] = rows! {
    Error "error_code" Unread => [FAILURE];
    Error "error_msg" Unread => [FAILURE];
};

const LITE_SERVER: &[Row] = rows! {
    Answer "arch" Text => [Normal("arch"), Status("upstream.arch")]
        {"ARM" = "arm64", "X86" = "amd64"};
    Answer "image_id" Text => [Status("imageID")];
    Answer "name" Text => [Status("upstream.name")];
    Answer "server_type" Text => [Status("upstream.serverType")] {"BMS", "ECS", "HPS"};
    Answer "status" Text => [Normal("status"), Status("upstream.status")] {"ACTIVE", "INACTIVE"};
};

/// The document leaves the values of `Accessibility` and `SourceType` blank; those here are from
/// the vendor's SDK (package `alibabacloud_aiworkspace20210204`). `accelerators` is fed by the
/// value of the label `system.chipType` only.
const PAI: &[Row] = rows! {
    Path "ImageId" Asked => [Status("imageID")];
    Query "Verbose" Unread => [None("always asked for: labels come only with it")];
    Answer "RequestId" Text => [Status("upstream.requestID")];
    Answer "GmtCreateTime" Iso => [Normal("upstreamCreatedTime")];
    Answer "GmtModifiedTime" Iso => [Normal("upstreamUpdatedTime")];
    Answer "Name" Text => [Status("upstream.name")];
    Answer "Description" Unread => [PROSE];
    Answer "ImageUri" Text => [Status("image")];
    Answer "UserId" Unread => [PERSON];
    Answer "ParentUserId" Unread => [PERSON];
    Answer "Labels" Unread => [None("the list itself: see its `Key` and `Value`")];
    Answer "Labels[].Key" LabelKey => [Status("upstream.labels")]
        {"system.chipType", "system.official"};
    Answer "Labels[].Value" LabelValue => [Status("upstream.labels"), Normal("accelerators")]
        {"GPU", "true" = "TRUE"};
    Answer "WorkspaceId" Text => [Status("upstream.workspaceId")];
    Answer "Accessibility" Text => [Status("upstream.visibility")] {"PUBLIC", "PRIVATE"};
    Answer "Size" Natural => [Status("sizeBytes")];
    Answer "SourceType" Text => [Status("upstream.sourceType")] {"Import", "Build"};
    Answer "SourceId" Text => [Status("upstream.sourceId")];
};

/// All four documents.
pub(super) const DOCUMENTS: [Document; 4] = [
    Document {
        title: "Obtaining Details of an Image",
        operation: "ModelArts `ShowImage`",
        api: Api::Notebook,
        rows: &[REQUEST_BY_ID, NOTEBOOK, SHOW_ONLY],
        derived: &[ANSWERED, HEADER],
    },
    Document {
        title: "Querying Supported Images",
        operation: "ModelArts `ListImage`",
        api: Api::Notebook,
        rows: &[LIST_REQUEST, LIST_PAGE, NOTEBOOK, LIST_ONLY, ERROR],
        derived: &[ANSWERED, HEADER],
    },
    Document {
        title: "Querying Lite Server Image Details",
        operation: "ModelArts `GetDevServerImage`",
        api: Api::LiteServer,
        rows: &[REQUEST_BY_ID, LITE_SERVER],
        derived: &[ANSWERED, HEADER],
    },
    Document {
        title: "GetImage",
        operation: "PAI AIWorkSpace `GetImage`",
        api: Api::Pai,
        rows: &[PAI],
        derived: &[ANSWERED, ALWAYS_ACTIVE],
    },
];
