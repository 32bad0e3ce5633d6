//! Encrypted connections.

use serde_json::json;
use siot::ServerTls;

use crate::host::Host;
use crate::support::certs::CertAuthority;
use crate::support::{JsClient, Via};

for_each_client!(events_pass_encrypted);

fn events_pass_encrypted(version: u32, via: Via) {
    let authority = CertAuthority::new();
    let identity = authority.issue("127.0.0.1");
    let host = Host::start(|builder| builder.tls(ServerTls::pem(identity.cert, identity.key)));
    let url = host.url.replace("http:", "https:");
    let client = JsClient::start(version, via, &url, json!({ "ca": authority.pem() }));
    client.connected();
    if via == Via::Upgrade {
        client.take("upgrade");
    }
    let socket = host.connected();
    assert!(socket.handshake().is_secure());
    let large = json!([{ "$bytes": "AAEC".repeat(100_000) }]);
    for _ in 0..3 {
        assert_eq!(client.ask("echo", large.clone()), large);
    }
    client.emit("question", json!(["why?"]));
    assert_eq!(client.event("conclusion"), json!(["why?"]));
    client.disconnect();
    host.disconnected(&socket);
}
