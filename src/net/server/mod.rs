//! Bytes for the server's role: requests, responses, WebSocket frames, and the sockets that they come by.
