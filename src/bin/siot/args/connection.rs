//! How to reach the server: what all commands that connect have in common.

use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueHint};
use serde_json::{Map, Value};
use siot::{
    Builder, Error, ErrorKind, Limits, ParserKind, Proxy, Revision, Socket, SocketOptions, Tls,
    Transport,
};

use super::duration::duration;
use crate::exit::{EarlyEnd, Outcome};

/// The variable that has the value of `--auth`.
const AUTH: &str = "SIOT_AUTH";
/// And the one that has the passphrase of `--key`.
const PASSPHRASE: &str = "SIOT_PASSPHRASE";

#[derive(Args, Debug)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectionArgs {
    /// http, https, ws or wss; its path is the namespace, as in https://example.com:3000/orders?key=value
    #[arg(help_heading = None, index = 1)]
    pub(crate) url: String,
    /// The namespace, in place of the URL's path
    #[arg(short, long, value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// What is sent when the namespace is joined: a JSON object. Others can see it in the list of processes: better is
    /// --auth-file, or the variable SIOT_AUTH
    #[arg(long, value_name = "JSON", conflicts_with = "auth_file")]
    auth: Option<String>,
    /// The same, from a file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    auth_file: Option<PathBuf>,
    /// A header of all requests, `Name: value`; `@FILE` has one on each line
    #[arg(short = 'H', long, value_name = "HEADER")]
    header: Vec<String>,
    /// A parameter of the query of all requests, `name=value`
    #[arg(short = 'Q', long, value_name = "PAIR")]
    query: Vec<String>,
    /// The path of the requests, which is not the namespace
    #[arg(long, value_name = "PATH", default_value = "/socket.io/", hide_short_help = true)]
    pub(crate) path: String,
    /// The transports that may be used; the first one opens the connection
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "polling,websocket",
        value_parser = one_of::<Transport>(&["polling", "websocket"]))]
    pub(crate) transports: Vec<Transport>,
    /// How the server writes packets
    #[arg(long, value_name = "PARSER", default_value = "json", hide_short_help = true,
        value_parser = one_of::<ParserKind>(&["json", "msgpack", "plain-json"]))]
    parser: ParserKind,
    /// The revision of Engine.IO; 3 is for servers 1.x and 2.x
    #[arg(long, value_name = "N", default_value = "auto", hide_short_help = true, value_parser = revision())]
    revision: Revision,
    /// Trust the certificate authorities in this file too, PEM or DER
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "TLS")]
    ca: Vec<PathBuf>,
    /// Trust the authorities of --ca only (and of --system-ca)
    #[arg(long, help_heading = "TLS", hide_short_help = true)]
    ca_only: bool,
    /// Trust the authorities of this system too
    #[arg(long, help_heading = "TLS", hide_short_help = true)]
    system_ca: bool,
    /// A certificate for this client, with its chain
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "key", help_heading = "TLS")]
    cert: Option<PathBuf>,
    /// The key of that; if it is encrypted, the variable SIOT_PASSPHRASE has its passphrase
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "cert", help_heading = "TLS")]
    key: Option<PathBuf>,
    /// Do not verify the server: anyone on the way can read and change all
    #[arg(short = 'k', long, help_heading = "TLS")]
    insecure: bool,
    /// The name to ask for and to verify, in place of the URL's host
    #[arg(long, value_name = "NAME", help_heading = "TLS", hide_short_help = true)]
    pub(crate) server_name: Option<String>,
    /// A proxy, http://HOST:PORT or socks5://HOST:PORT; by default what HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY
    /// say, where a password is not seen by others
    #[arg(long, value_name = "URL", conflicts_with = "no_proxy")]
    pub(crate) proxy: Option<String>,
    /// Use no proxy, whatever the variables say
    #[arg(long, hide_short_help = true)]
    pub(crate) no_proxy: bool,
    /// Connect from this address
    #[arg(long, value_name = "ADDRESS", hide_short_help = true)]
    local_address: Option<IpAddr>,
    /// Connect through this network interface
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    interface: Option<String>,
    /// How long an attempt to connect may take. A TIME is one number with ms, s, m or h; seconds without one
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "20s")]
    pub(crate) connect_timeout: Duration,
    /// The largest message to take, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 16 << 20, hide_short_help = true)]
    max_message: usize,
}

/// How often to connect.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Attempts {
    /// Try until there is a connection, instead of ending when the first attempt fails
    #[arg(long)]
    pub(crate) retry: bool,
    /// End when the connection is lost, instead of connecting again
    #[arg(long, conflicts_with = "retry")]
    pub(crate) once: bool,
}

/// Reads one of these names as the library does.
pub(super) fn one_of<T>(names: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = siot::Error> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse())
}

/// The revisions, of which people say the number.
fn revision() -> impl TypedValueParser<Value = Revision> {
    PossibleValuesParser::new(["auto", "3", "4"]).try_map(|name| match name.as_str() {
        "auto" => name.parse(),
        number => format!("v{number}").parse(),
    })
}

impl ConnectionArgs {
    /// The URL without its query, which may hold a secret.
    pub(crate) fn place(&self) -> &str {
        self.url.split(['?', '#']).next().unwrap_or_default()
    }

    /// Whether something is sent by which the server can know who joins the namespace.
    pub(crate) fn has_credentials(&self) -> bool {
        matches!(self.auth(), Ok(Some(_)))
    }

    /// Whether it has to leave this machine in a certain way.
    pub(crate) fn is_bound(&self) -> bool {
        self.local_address.is_some() || self.interface.is_some()
    }

    /// The socket, which does not connect yet. `retry`: it tries until there is a connection.
    pub(crate) fn socket(&self, retry: bool) -> Outcome<Socket> {
        self.socket_of(self.builder()?.reconnection(retry))
    }

    /// The socket of options that were changed.
    pub(crate) fn socket_of(&self, builder: Builder) -> Outcome<Socket> {
        let auth = self.auth()?;
        let Some(namespace) = &self.namespace else {
            let builder = match auth {
                Some(auth) => builder.auth(auth),
                None => builder,
            };
            return builder.build().map_err(|error| self.mistaken(error));
        };
        let mut options = SocketOptions::new().auto_connect(false);
        if let Some(auth) = auth {
            options = options.auth(auth);
        }
        let manager = builder.manager().map_err(|error| self.mistaken(error))?;
        Ok(manager.socket_with(namespace, options)?)
    }

    /// What is said of options that cannot be used, with the scheme that a URL may lack.
    fn mistaken(&self, error: Error) -> EarlyEnd {
        let is_whole = self.url.contains("://") || self.url.contains(['@', '?', '#']);
        if error.kind() == ErrorKind::InvalidUrl && !is_whole {
            let text = format!("the URL has no scheme: did you mean http://{}?", self.place());
            return EarlyEnd::usage(text);
        }
        error.into()
    }

    /// The options of the connection, without those of the namespace.
    pub(crate) fn builder(&self) -> Outcome<Builder> {
        let mut builder = Builder::new(&self.url)
            .auto_connect(false)
            .force_new(true)
            .reconnection(false)
            .path(&self.path)
            .transports(self.transports.iter().copied())
            .parser(self.parser)
            .revision(self.revision)
            .connect_timeout(self.connect_timeout)
            .namespace_timeout(self.connect_timeout)
            .limits(Limits::new().max_message(self.max_message))
            .tls(self.tls());
        for (name, value) in self.headers()? {
            builder = builder.extra_header(name, value);
        }
        for pair in &self.query {
            let (name, value) = pair
                .split_once('=')
                .ok_or_else(|| EarlyEnd::usage(format!("--query {pair}: no `name=value`")))?;
            builder = builder.query(name, value);
        }
        if let Some(proxy) = &self.proxy {
            builder = builder.proxy(Proxy::parse(proxy)?);
        }
        if self.no_proxy {
            builder = builder.no_proxy();
        }
        if let Some(address) = self.local_address {
            builder = builder.local_address(address);
        }
        if let Some(interface) = &self.interface {
            builder = builder.interface(interface);
        }
        Ok(builder)
    }

    fn tls(&self) -> Tls {
        let mut tls = Tls::new()
            .built_in_roots(!self.ca_only)
            .system_roots(self.system_ca)
            .reject_unauthorized(!self.insecure);
        for ca in &self.ca {
            tls = tls.ca_file(ca);
        }
        if let (Some(cert), Some(key)) = (&self.cert, &self.key) {
            tls = tls.client_cert_files(cert, key);
        }
        if let Some(name) = &self.server_name {
            tls = tls.server_name(name);
        }
        match std::env::var(PASSPHRASE) {
            Ok(passphrase) => tls.passphrase(passphrase),
            Err(_) => tls,
        }
    }

    fn headers(&self) -> Outcome<Vec<(String, String)>> {
        let mut headers = Vec::new();
        for header in &self.header {
            match header.strip_prefix('@') {
                None => headers.push(split_header(header)?),
                Some(file) => {
                    for line in read(Path::new(file))?.lines().filter(|line| !line.is_empty()) {
                        headers.push(split_header(line)?);
                    }
                }
            }
        }
        Ok(headers)
    }

    fn auth(&self) -> Outcome<Option<Map<String, Value>>> {
        let (text, whence) = match (&self.auth, &self.auth_file) {
            (Some(auth), _) => (auth.clone(), "--auth".to_owned()),
            (None, Some(file)) => (read(file)?, format!("--auth-file {}", file.display())),
            (None, None) => match std::env::var(AUTH) {
                Ok(auth) if !auth.is_empty() => (auth, AUTH.to_owned()),
                _ => return Ok(None),
            },
        };
        // The error of serde_json has none of the text, which is a secret.
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| EarlyEnd::usage(format!("{whence}: no JSON object: {error}")))
    }
}

/// The text is not repeated in the error: it may be a secret.
fn split_header(text: &str) -> Outcome<(String, String)> {
    match text.split_once(':') {
        Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
        None => Err(EarlyEnd::usage("--header: a header looks like `Name: value`")),
    }
}

/// The text of a file, which is a small one.
fn read(file: &Path) -> Outcome<String> {
    const MOST_BYTES: u64 = 1 << 20;
    let mut text = String::new();
    let length = File::open(file).and_then(|file| file.take(MOST_BYTES).read_to_string(&mut text));
    match length.map_err(|error| EarlyEnd::local(file.display(), error))? as u64 {
        MOST_BYTES => Err(EarlyEnd::local(file.display(), "more than 1 MiB")),
        _ => Ok(text),
    }
}
