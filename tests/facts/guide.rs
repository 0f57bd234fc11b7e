//! The home table as a page for operators.
//!
//! Owns `docs/facts.md`. Must not say anything about a field that the table does not. The
//! invariant that would break first: the page and the table are equal.

use super::home::{DOCUMENTS, Home, Part, Row};
use std::fmt::Write;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/facts.md");

const INTRODUCTION: &str = "\
<!-- Generated from the table in tests/facts/home.rs: UPDATE_DOCS=1 cargo test -p imageref facts -->

# Facts: what the platforms say, and where it goes

The status of an `ImageRef` holds the platform's answer twice: as **facts** in one vocabulary for all
platforms (`arch`, `status`, `swrPath`, `image`, `accelerators`, `imageID`, `sizeBytes`,
`upstreamCreatedTime`, `upstreamUpdatedTime`), and **in the platform's own words** under `upstream`.

| Fact | Meaning | Not stated by |
|---|---|---|
| `arch` | CPU architecture in the spelling of the node label `kubernetes.io/arch`: `amd64`, `arm64`. Absent for any word that is not known; the word is in `upstream.arch` | PAI (no field and no label): there it is the registry's word |
| `status` | `INIT`, `CREATING`, `CREATE_FAILED`, `ERROR`, `DELETED`, `ACTIVE`, `INACTIVE`; `UNKNOWN` for no word or another word, which is in `upstream.status` | PAI (an image that can be read is `ACTIVE`) |
| `swrPath` | path in SWR with its tag | Lite Server (machine images, nothing a pod could run), PAI |
| `image` | what to put into a pod: the SWR path, or PAI's `ImageUri`; pinned by the digest where that is known | Lite Server |
| `accelerators` | what the image runs on, in upper case and sorted: `CPU`, `GPU`, `ASCEND`, `PPU`, … | Lite Server; PAI where nobody set the label `system.chipType` |
| `digest`, `platforms` | what the registry says of the path: the digest behind the tag, and what it holds the image for | every platform: [digests](kinds/imageref.md#digests) |
| `imageID` | the platform's id; the one asked for where the answer does not repeat it | |
| `sizeBytes` | the number as it came. PAI: bytes by its document, but sizes that users entered may be in GB. ModelArts: KB by its document, but the values seen can only be bytes. **Do not compute with it before comparing it with the registry** | Lite Server; preset notebook images |
| `upstreamCreatedTime`, `upstreamUpdatedTime` | RFC 3339 in UTC with milliseconds. The platforms' times do not order versions: an update may lie before the creation | Lite Server |

Rules for all of them:

- Absent, `null` and empty are one thing. Surrounding white space goes, also in label keys (PAI's
  documented examples end in line feeds), and so do control characters.
- Unknown words stay as they are; none is an error. Upper and lower case are equal in `arch`,
  `status` and `accelerators`.
- Lists are sorted and without repeats, so that another order is not a change.
- Of a hostile or broken answer at most this is kept: texts of 4096 bytes, lists of 64 words of 256
  bytes, 128 labels of 256 bytes a key and 256 a value. A longer id or image reference is dropped
  rather than cut, since half a reference is another reference.
- An answer that says nothing about an image (`{}`) is not an answer, and a time that cannot be read
  or a negative size is not stated.
- Fields that are newer than these documents are ignored.

Below, *verbatim* means as it came but for surrounding white space, *normalised* means in the
vocabulary above.
";

#[test]
fn the_page_for_operators_is_the_table() {
    let page = render();
    if std::env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        std::fs::write(PAGE, &page).unwrap();
    }
    let found = std::fs::read_to_string(PAGE).unwrap_or_default();
    assert!(
        found == page,
        "docs/facts.md differs from the table; run `UPDATE_DOCS=1 cargo test -p imageref facts` \
         and commit the result"
    );
}

fn render() -> String {
    let mut page = INTRODUCTION.to_owned();
    for document in &DOCUMENTS {
        let (title, operation) = (document.title, document.operation);
        write!(page, "\n## {operation}\n\nDocument: \"{title}\".\n\n").unwrap();
        page.push_str("| Part | Field | Home in the status | Documented values |\n");
        page.push_str("|---|---|---|---|\n");
        for row in document.rows() {
            let (field, part) = (row.field, part(row.part));
            let (homes, values) = (homes(row), values(row));
            writeln!(page, "| {part} | `{field}` | {homes} | {values} |").unwrap();
        }
        page.push_str("\nNot from a field of this document:\n\n");
        for (path, why) in document.derived {
            writeln!(page, "- `{path}`: {why}").unwrap();
        }
    }
    page
}

const fn part(part: Part) -> &'static str {
    match part {
        Part::Path => "path",
        Part::Query => "query",
        Part::Page => "page",
        Part::Answer => "image",
        Part::Error => "error",
    }
}

fn homes(row: &Row) -> String {
    let homes = row.homes.iter().map(|home| match home {
        Home::Status(path) => format!("`{path}`, verbatim"),
        Home::Normal(path) => format!("`{path}`, normalised"),
        Home::None(reason) => format!("none: {reason}"),
    });
    homes.collect::<Vec<_>>().join("; ")
}

fn values(row: &Row) -> String {
    let values = row.values.iter().map(|(raw, normal)| {
        if raw == normal {
            format!("`{raw}`")
        } else {
            format!("`{raw}` → `{normal}`")
        }
    });
    values.collect::<Vec<_>>().join(", ")
}
