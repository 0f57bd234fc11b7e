//! Owns an answer before it is on the wire, and a call while it is being answered.
//! Must not be known here: any cloud's error shapes, faults.

use crate::verify::WireRequest;
use jiff::Timestamp;
use serde_json::Value;

/// A whole answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Answer {
            status,
            content_type: content_type.to_owned(),
            headers: Vec::new(),
            body: body.into(),
        }
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Answer::new(status, "application/json", body.to_string())
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// A call while it is being answered.
pub(crate) struct Call<'a> {
    pub(crate) wire: &'a WireRequest<'a>,
    pub(crate) now: Timestamp,
    /// Names the call, in each cloud's own spelling.
    pub(crate) id: uuid::Uuid,
    /// Who asks, once that is known.
    pub(crate) principal: Option<String>,
}

impl Call<'_> {
    /// The decoded value of a query parameter. A plus sign is a space, as everywhere on the web.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let (_, value) = parameters(self.wire.query)
            .into_iter()
            .find(|(key, _)| key == name)?;
        Some(value)
    }

    /// A query parameter that must be a number of at least so much, if it is there. The error is its name.
    pub(crate) fn number(
        &self,
        name: &'static str,
        least: u64,
    ) -> Result<Option<u64>, &'static str> {
        match self.parameter(name) {
            None => Ok(None),
            Some(text) => match text.parse() {
                Ok(number) if number >= least => Ok(Some(number)),
                _ => Err(name),
            },
        }
    }

    pub(crate) fn huawei_request_id(&self) -> String {
        self.id.simple().to_string()
    }

    pub(crate) fn alibaba_request_id(&self) -> String {
        self.id.to_string().to_uppercase()
    }
}

/// The decoded parameters of a query or a form.
pub(crate) fn parameters(text: &str) -> Vec<(String, String)> {
    let text = text.replace('+', " ");
    let wire = WireRequest {
        method: "",
        path: "",
        query: &text,
        headers: &[],
        body: b"",
    };
    let lossy = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    wire.parameters()
        .into_iter()
        .map(|(name, value)| (lossy(name), lossy(value)))
        .collect()
}
