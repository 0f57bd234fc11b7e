//! What is spoken, and what is answered to which request.

use super::reviews::review;
use super::served::Served;
use crate::verdict::world::{TORCH, declared, pod};
use imageref::webhook::server::Limits;
use reqwest::{Method, Version};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

async fn served() -> Served {
    Served::of(
        [declared("torch", &format!("{TORCH}:3"))],
        Limits::default(),
    )
    .await
}

#[tokio::test]
async fn both_protocols_answer_over_tls_with_the_paths_mode() {
    let served = served().await;
    for (client, version) in [
        (served.client(), Version::HTTP_2),
        (
            served.builder().http1_only().build().unwrap(),
            Version::HTTP_11,
        ),
    ] {
        let body = review(&pod("busybox")).to_string();
        let request = client
            .post(served.url("/validate/enforce?timeout=1s"))
            .body(body);
        let request = request.header("content-type", "application/json; charset=utf-8");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.version(), version);
        assert_eq!(answer.headers()["content-type"], "application/json");
        let answer: serde_json::Value =
            serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(answer["response"]["allowed"], false);

        let bad = review(&pod("busybox"));
        let (status, answer) = served
            .post(&client, "/validate/warn?timeout=1s", &bad)
            .await;
        assert_eq!(
            (status, &answer["response"]["allowed"]),
            (200, &json!(true))
        );
        assert_eq!(answer["response"]["warnings"].as_array().unwrap().len(), 1);
        let (status, answer) = served.post(&client, "/validate/audit", &bad).await;
        assert_eq!(
            (status, &answer["response"]["allowed"]),
            (200, &json!(true))
        );
        assert!(answer["response"].get("warnings").is_none());
        let good = review(&pod(&format!("{TORCH}:3")));
        let (status, answer) = served.post(&client, "/validate/enforce", &good).await;
        assert_eq!(
            (status, &answer["response"]["allowed"]),
            (200, &json!(true))
        );
    }
    let counted = |mode, decision, reason| {
        let reviews = &served.metrics.admission.reviews;
        reviews.get([mode, decision, reason])
    };
    assert_eq!(counted("enforce", "Deny", "UnknownImage"), 2);
    assert_eq!(counted("warn", "Warn", "UnknownImage"), 2);
    assert_eq!(counted("audit", "Allow", "UnknownImage"), 2);
    assert_eq!(counted("enforce", "Allow", "None"), 2);
}

#[tokio::test]
async fn the_protocol_is_negotiated_and_who_negotiates_none_gets_the_old_one() {
    let served = served().await;
    let spoken = |stream: &tokio_rustls::client::TlsStream<_>| {
        stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec)
    };
    let both = served.connect(&[b"http/1.1", b"h2"]).await;
    assert_eq!(spoken(&both), Some(b"h2".to_vec()));
    let mut none = served.connect(&[]).await;
    assert_eq!(spoken(&none), None);
    none.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    none.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
}

#[tokio::test]
async fn other_requests_are_refused_with_a_line() {
    let served = served().await;
    let client = served.client();
    let ask = async |method, path: &str, form: &str| {
        let request = client.request(method, served.url(path)).body("{}");
        let answer = request.header("content-type", form).send().await.unwrap();
        let allow = answer.headers().get("allow").cloned();
        (
            answer.status().as_u16(),
            allow.map(|v| v.to_str().unwrap().to_owned()),
            answer.text().await.unwrap(),
        )
    };
    let (status, _, line) = ask(Method::POST, "/validate", "application/json").await;
    assert_eq!(status, 404);
    assert_eq!(
        line,
        "nothing is served here: use /validate/enforce, /validate/warn, /validate/audit or /mutate\n"
    );
    let (status, allow, _) = ask(Method::GET, "/validate/warn", "application/json").await;
    assert_eq!((status, allow.as_deref()), (405, Some("POST")));
    let (status, ..) = ask(Method::POST, "/validate/warn", "application/yaml").await;
    assert_eq!(status, 415);
    let (status, _, line) = ask(Method::POST, "/validate/warn", "application/json").await;
    assert_eq!(
        (status, line.as_str()),
        (400, "this is no review with a uid\n")
    );
    for cause in ["path", "method", "form", "malformed"] {
        assert_eq!(served.refused(cause), 1, "{cause}");
    }
}

#[tokio::test]
async fn a_malformed_review_is_refused_under_its_uid() {
    let served = served().await;
    let mut malformed = review(&pod("busybox"));
    malformed["apiVersion"] = "admission.k8s.io/v2".into();
    let (status, answer) = served
        .post(&served.client(), "/validate/warn", &malformed)
        .await;
    assert_eq!(status, 200);
    let response = &answer["response"];
    assert_eq!(response["uid"], malformed["request"]["uid"]);
    assert_eq!(response["allowed"], false);
    assert_eq!(response["status"]["code"], 400);
    assert_eq!(served.refused("malformed"), 1);
}

#[tokio::test]
async fn nothing_is_answered_from_a_memory_that_is_not_filled() {
    let served = Served::empty(Limits::default()).await;
    let client = served.client();
    let good = review(&pod(&format!("{TORCH}:3")));
    let (status, line) = served.post(&client, "/validate/enforce", &good).await;
    assert_eq!(
        (status, line),
        (503, json!("ImageRefs and namespaces are not listed yet\n"))
    );
    served.fill([declared("torch", &format!("{TORCH}:3"))]);
    let (status, answer) = served.post(&client, "/validate/enforce", &good).await;
    assert_eq!(
        (status, &answer["response"]["allowed"]),
        (200, &json!(true))
    );
    assert_eq!(served.refused("not_ready"), 1);
}

#[tokio::test]
async fn a_client_that_does_not_believe_the_certificate_is_counted() {
    let served = served().await;
    let stranger = reqwest::Client::builder().no_proxy().build().unwrap();
    stranger.get(served.url("/")).send().await.unwrap_err();
    let counted = async {
        while served.refused("handshake") == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(super::served::SOON, counted)
        .await
        .unwrap();
}
