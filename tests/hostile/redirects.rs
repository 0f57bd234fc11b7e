//! Redirects: of no status, to no place.

use super::{Trap, ask, clouds};
use crate::cloud::network;
use imageref::facts::FailureKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

#[tokio::test]
async fn no_redirect_of_any_status_is_followed() {
    let trap = Trap::new();
    for status in 300..=399_u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let places = [
            format!("http://{}/", trap.address()),
            format!("//{}/v1", trap.address()),
            "/v1/other/images/group".to_owned(),
            origin.clone(),
        ];
        let to = &places[usize::from(status) % places.len()];
        let answer = format!(
            "HTTP/1.1 {status} Moved\r\nlocation: {to}\r\nrefresh: 0; url={to}\r\ncontent-length: 0\r\n\r\n"
        );
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            // The end of the client's side: no second request on this connection.
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.unwrap();
            rest
        };
        let asked = async {
            let clouds = clouds(network(&origin));
            ask(&clouds, &origin).await
        };
        let (rest, asked) = tokio::join!(server, asked);
        let failure = asked.unwrap_err();
        assert_eq!(
            failure.kind,
            FailureKind::ProviderError,
            "{status}: {failure}"
        );
        assert!(failure.message.contains("redirect"), "{status}: {failure}");
        assert!(rest.is_empty(), "{status}: a second request");
        let again = tokio::time::timeout(std::time::Duration::from_millis(1), listener.accept());
        assert!(again.await.is_err(), "{status}: a second connection");
    }
    trap.assert_untouched("a redirect");
}
