//! What only clients of versions 1 and 2 do.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::host::Host;
use crate::support::{JsClient, LIMIT, Via};

/// Strings that a script, a form, or the protocol could take for something else.
const TRICKY: &str = "\n\\n\\\\n\r\n \"'+&=%41 </script><!-- ___eio[0](1);";

fn by_script(version: u32, tricky: &str) {
    let host = Host::start(|builder| builder.allow_jsonp(true));
    let options = json!({ "forceJSONP": true });
    let client = JsClient::start(version, Via::Polling, &host.url, options);
    client.connected();
    let socket = host.connected();
    let args = json!([tricky, { "$bytes": "AAECAw==" }, null]);
    assert_eq!(client.ask("echo", args.clone()), args);
    client.emit("back", args.clone());
    assert_eq!(client.event("event"), args);
    let asked = socket.timeout(LIMIT).emit_with_ack("ask", tricky).unwrap();
    assert_eq!(asked.wait::<String>().unwrap(), tricky);
    for number in 0..100 {
        socket.emit("event", number).unwrap();
    }
    for number in 0..100 {
        assert_eq!(client.event("event"), json!([number]));
    }
    assert!(socket.handshake().query().contains("j="), "{}", socket.handshake().query());
    client.close();
    host.disconnected(&socket);
}

#[test]
fn a_client_of_version_2_polls_by_scripts() {
    by_script(2, &format!("é😀 \u{2028}\u{2029} {TRICKY}"));
}

#[test]
fn a_client_of_version_1_polls_by_scripts() {
    // Beyond ASCII it reads a text body as if it were encoded twice, which later ones and their servers do not.
    by_script(1, TRICKY);
}

#[test]
fn polling_by_scripts_has_to_be_allowed() {
    let host = Host::start(|builder| builder);
    let options = json!({ "forceJSONP": true });
    let client = JsClient::start(2, Via::Polling, &host.url, options);
    client.take("fault");
    assert_eq!(host.server.clients(), 0);
}

#[test]
fn a_query_behind_a_namespace_is_taken_for_credentials() {
    let host = Host::start(|builder| builder);
    let chat = host.of("/chat");
    chat.authorize(|socket| {
        let auth: HashMap<String, Value> = socket.handshake().auth()?;
        if auth.get("token") == Some(&json!("x y")) { Ok(()) } else { Err("no token".into()) }
    });
    for via in [Via::WebSocket, Via::Polling] {
        let url = format!("{}/chat?token=x%20y&room=a&room=b&room=c", host.url);
        let client = JsClient::start(2, via, &url, json!({}));
        client.connected();
        // Old clients are in the namespace `/` first.
        let [_, socket] = [(); 2].map(|()| host.connected());
        assert_eq!(socket.namespace().name(), "/chat");
        let auth: Value = socket.handshake().auth().unwrap();
        assert_eq!(auth, json!({ "token": "x y", "room": ["a", "b", "c"] }));
        client.close();
        (0..2).for_each(|_| drop(host.parted()));
        let stranger = JsClient::start(2, via, &format!("{}/chat?token=z", host.url), json!({}));
        assert_eq!(stranger.take("refused")["message"], json!("no token"));
        host.connected();
        stranger.close();
        host.parted();
    }
}
